"""Files: stored once, found by their content, given back as they came."""

from datetime import timedelta
from typing import Any

from app.config import settings
from app.db import session
from app.errors import JobNotFinished, NotFound, QuotaExceeded
from app.helpers import links, previews
from app.helpers.content import Attachment, Upload, as_attachment
from app.helpers.storage import storage
from app.models import File, Job, User
from app.models.base import now, rfc3339
from app.queue import enqueue

LINK_SECONDS = 3600


def store(owner: User, upload: Upload) -> tuple[File, bool]:
    """The file, and whether the upload was needed. The same content again is the file that is there already, whatever
    its name is now – unless that one's bytes were lost: now they are there again."""
    session.refresh(owner, with_for_update=True)  # two uploads at once must not both find room, or both be the first
    known = File.find_same(owner, upload.digests["sha256"])
    if known is not None:
        if known.damaged_at is None:
            return known, False
        known.key, known.damaged_at = upload.key, None
        upload.keep()
        _plan_preview(known)
        return known, True
    quota, used = settings().upload_quota_bytes, File.bytes_of(owner.id)
    if used + upload.size > quota:
        raise QuotaExceeded(quota_bytes=quota, used_bytes=used)
    facts: dict[str, Any] = {name: getattr(upload, name) for name in ("name", "type", "size", "key")}
    file = File.create(user_id=owner.id, **facts | upload.digests)
    upload.keep()
    _plan_preview(file)
    return file, True


def change(file: File, fields: dict[str, Any]) -> File:
    """A new name or type; a new type may have another preview."""
    before = file.type
    file.update(**fields)
    if file.type != before:
        _plan_preview(file)
    return file


def content_of(file: File) -> Attachment:
    return Attachment(file.key, file.size, file.sha256, file.type, as_attachment(file.name))


def preview_of(file: File) -> Attachment:
    """JobNotFinished while it is being made; NotFound if there is none, and there won't be one."""
    if file.preview_key is not None and file.preview_type is not None and file.preview_size is not None:
        return Attachment(file.preview_key, file.preview_size, file.preview_key, file.preview_type, "inline")
    job = Job.find(file.preview_job_id) if file.preview_job_id else None
    if job is not None and not job.is_done:
        raise JobNotFinished(headers={"Retry-After": "2"})
    raise NotFound("There is no preview of this file: its type has none, or it could not be made.")


def make_link(file: File, expires_in: int = LINK_SECONDS) -> dict[str, Any]:
    """An address that gives the file to whoever has it, for so many seconds: the storage's own, if it has such."""
    expires_at = now().replace(microsecond=0) + timedelta(seconds=expires_in)
    url = storage().link(file.key, expires_in, as_attachment(file.name), file.type)
    return {
        "url": url or f"{settings().public_url}/api/v1/links/{links.sign(file.key, expires_at)}",
        "expires_at": rfc3339(expires_at),
    }


def find_linked(token: str) -> File:
    """The file that a link names; NotFound if the link is no good any more, or the file was deleted."""
    key = links.read(token)
    file = File.find_by_key(key) if key else None
    if file is None:
        raise NotFound("This link has expired, or is not complete.")
    return file


def _plan_preview(file: File) -> None:
    """Made in the background, where there is such a thing for this type."""
    file.preview_key = file.preview_type = file.preview_size = file.preview_job_id = None
    if previews.can_make(file.type):
        file.preview_job_id = enqueue("files.preview", target=file, file_id=file.id, media_type=file.type).id
