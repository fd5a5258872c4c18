"""The mail with the link to a guest's invitation."""

from typing import Any

from app.db import session
from app.helpers import context, mailer
from app.models import Guest
from app.queue import checkpoint, job
from app.services import messages


@job(queue="high", timeout_seconds=60)
def invite(guest_id: int) -> dict[str, Any]:
    """Mails a guest the invitation – unless the guest was deleted, or the event has begun, in the meantime."""
    guest = Guest.find(guest_id)
    if guest is None or guest.event.has_started:
        return {"sent": False}
    link_key, mail = guest.link_key, messages.invitation(guest, key=f"invitation-{context.get().job_id}")
    checkpoint()  # the last moment to be canceled; and no transaction stays open while the mail server takes its time
    mailer.send(mail)
    guest = session.get(Guest, guest_id, with_for_update=True)  # who may have answered meanwhile, or be gone
    if guest is not None and guest.link_key == link_key:  # else the link is no good any more: the address has changed
        guest.note_invitation()
    return {"sent": True}
