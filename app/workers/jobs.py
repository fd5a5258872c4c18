"""Housekeeping of the ledger itself."""

from typing import Any

from sqlalchemy import delete, select

from app.db import session
from app.models import Job
from app.models.base import now
from app.queue import checkpoint, job

BATCH = 500


@job(queue="low")
def forget() -> dict[str, Any]:
    """Deletes finished jobs whose time to be kept is over, a batch at a time."""
    forgotten = 0
    while ids := session.scalars(select(Job.id).where(Job.expires_at <= now()).limit(BATCH)).all():
        session.execute(delete(Job).where(Job.id.in_(ids)))
        forgotten += len(ids)
        checkpoint(forgotten)
    return {"forgotten": forgotten}
