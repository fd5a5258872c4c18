"""Jobs about files: previews, the check that all bytes are still what they were, the sweep of what nobody wants."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select

from app.config import settings
from app.db import session
from app.errors import PreviewImpossible
from app.helpers import context, monitoring, previews
from app.helpers.storage import BlobMissing, new_key, storage
from app.models import File, Job
from app.models.base import now
from app.queue import checkpoint, job

LARGEST_PREVIEWED = 256 << 20  # bytes
ABANDONED = timedelta(hours=1)  # a blob that no row names is, after so long: until then its row may be on its way
BATCH = 500
MOST_TOLD = 100  # of damaged files, in a report
COPY = "preview-"


@job(queue="low", timeout_seconds=120)
def preview(file_id: int, media_type: str) -> dict[str, Any]:
    """Makes a file's preview – unless the file was deleted or is of another type by now."""
    file = File.find(file_id)
    if file is None or file.type != media_type:
        return {"made": False}
    key, size = file.key, file.size
    checkpoint()  # no transaction stays open while strangers' bytes are looked at
    if size > LARGEST_PREVIEWED:
        raise PreviewImpossible("The file is too large for a preview.")
    with _as_path(key) as path:
        made = previews.make(path, media_type)
    preview_key = new_key()
    writer = storage().writer(preview_key)
    writer.write(made.data)
    writer.finish()
    current = session.get(File, file_id, with_for_update=True)
    if current is None or (current.key, current.type) != (key, media_type):
        return {"made": False}  # the sweep takes the blob
    current.preview_key, current.preview_type, current.preview_size = preview_key, made.type, len(made.data)
    return {"made": True, "href": f"/api/v1/files/{current.sha256}/preview"}


@contextmanager
def _as_path(key: str) -> Iterator[Path]:
    """The blob as a file: where it is, or as a copy."""
    path = storage().path(key)
    if path is not None:
        yield path
        return
    settings().data_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(prefix=COPY, dir=settings().data_dir) as copy:
        for piece in storage().read(key):
            copy.write(piece)
        copy.flush()
        yield Path(copy.name)


@job(queue="low", timeout_seconds=24 * 3600)
def check() -> dict[str, Any]:
    """Reads every file and compares its content with its sha256. What is damaged is marked, and told to the operators;
    the same content, uploaded again, mends it. An attempt goes on where the one before was cut off."""
    job_id = context.get().job_id
    began = session.scalars(select(Job.created_at).where(Job.id == job_id)).one()
    waiting = File.checked_at < began
    left = _number_of(waiting)
    total = left + _number_of(File.created_at < began, ~waiting)
    checked = total - left  # by an attempt before this one
    while file := session.scalars(select(File).where(waiting).order_by(File.checked_at).limit(1)).one_or_none():
        file_id, key, sha256 = file.id, file.key, file.sha256
        checkpoint(min(checked, total), total)
        is_good = _sha256_of(key) == sha256
        current = session.get(File, file_id, with_for_update=True)
        if current is not None and current.key == key:  # else it was mended meanwhile, and is looked at once more
            current.checked_at = now()
            current.damaged_at = None if is_good else current.damaged_at or now()
        checked += 1
    checkpoint(total, total)
    found = select(File.id).where(File.damaged_at.is_not(None), ~waiting).order_by(File.id)
    damaged = session.scalars(found).all()
    if damaged:
        monitoring.notify(
            error_class="FilesDamaged",
            message=f"{len(damaged)} of {total} files are damaged or missing",
            context={"file_ids": damaged[:MOST_TOLD]},
            token=job_id,  # should it be told again, by another attempt
        )
    return {"checked": total, "damaged": len(damaged), "file_ids": damaged[:MOST_TOLD]}


def _number_of(*which: ColumnElement[bool]) -> int:
    return session.scalars(select(func.count()).select_from(File).where(*which)).one()


def _sha256_of(key: str) -> str | None:
    digest = hashlib.sha256()
    try:
        for piece in storage().read(key):
            digest.update(piece)
    except BlobMissing:
        return None
    return digest.hexdigest()


@job(queue="low", timeout_seconds=4 * 3600)
def sweep() -> dict[str, int]:
    """Removes blobs that no row names: of deleted files, and of uploads whose process was killed."""
    looked_at = removed = 0
    until = now() - ABANDONED
    old = (blob.key for blob in storage().blobs() if blob.written_at < until)
    while keys := list(islice(old, BATCH)):
        named = select(File.key, File.preview_key).where(or_(File.key.in_(keys), File.preview_key.in_(keys)))
        wanted = {key for row in session.execute(named) for key in row}
        checkpoint(looked_at, message=f"{removed} removed")
        for key in set(keys) - wanted:
            storage().delete(key)
            removed += 1
        looked_at += len(keys)
    for copy in settings().data_dir.glob(f"{COPY}*"):  # of a process that was killed over it
        with suppress(FileNotFoundError):  # its process was not dead, only slow
            if copy.stat().st_mtime < until.timestamp():
                copy.unlink()
    return {"looked_at": looked_at, "removed": removed}
