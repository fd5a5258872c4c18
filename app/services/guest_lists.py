"""Guest lists as files: which ones are worth reading, and asking for the jobs that read and write them."""

from app.errors import NotFound, ValidationFailed
from app.helpers.media_types import UNKNOWN
from app.models import Event, File, Job, User
from app.queue import enqueue

LARGEST_BYTES = 256 << 20  # of a list


def read(event: Event, owner: User, file_hash: str) -> Job:
    """Asks for the guests in this file of the owner's to be added to the event; ValidationFailed if it can't be."""
    try:
        file = File.find_for(owner, file_hash)
    except NotFound:
        raise _refuse("there is no file of yours with this hash") from None
    if file.damaged_at is not None:
        raise _refuse("this file's bytes are lost or damaged: upload it again")
    if not file.type.startswith("text/") and file.type != UNKNOWN:
        raise _refuse(f"this file is of the type {file.type}, which is no table (CSV)")
    if file.size > LARGEST_BYTES:
        raise _refuse(f"this file is larger than {LARGEST_BYTES >> 20} MiB: send it in parts")
    return enqueue("guest_lists.read", target=event, event_id=event.id, file_id=file.id)


def write(event: Event) -> Job:
    """Asks for the event's guests to be written into a file."""
    return enqueue("guest_lists.write", target=event, event_id=event.id)


def _refuse(detail: str) -> ValidationFailed:
    return ValidationFailed(errors=[{"detail": detail, "pointer": "#/file"}])
