"""Housekeeping of the ledger itself."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select, update

from app.db import session
from app.errors import Unavailable
from app.models import Job, JobEvent
from app.models.base import now
from app.queue import checkpoint, job, reports

BATCH = 500
REMEMBERED = timedelta(days=30)  # how long an expired job is answered with 410, and not 404
EMPTY: dict[str, Any] = {
    "args": {},
    "result": None,
    "error": None,
    "history": [],
    "trace": None,
    "unique_key": None,
    "progress_message": None,
}


@job(queue="low", retries=20)
def report(job_id: str, attempt: int, job_type: str, cause: str) -> None:
    """Tells the operators of a failure that was tried again before they had been told of it."""
    if not reports.tell(reports.Failure(job_id, attempt, job_type, cause)):
        raise Unavailable("The alert service did not take it.")


@job(queue="low")
def forget() -> dict[str, Any]:
    """Empties finished jobs whose time to be kept is over, and deletes those that were emptied long ago; in batches."""
    emptied = forgotten = 0
    expired = select(Job.id).where(Job.expires_at <= now(), Job.emptied_at.is_(None)).limit(BATCH)
    while ids := session.scalars(expired).all():
        session.execute(update(Job).where(Job.id.in_(ids)).values(**EMPTY, emptied_at=now()))
        session.execute(delete(JobEvent).where(JobEvent.job_id.in_(ids)))
        emptied += len(ids)
        checkpoint(emptied)
    old = select(Job.id).where(Job.expires_at <= now() - REMEMBERED).limit(BATCH)
    while ids := session.scalars(old).all():
        session.execute(delete(Job).where(Job.id.in_(ids)))
        forgotten += len(ids)
        checkpoint(emptied + forgotten)
    return {"emptied": emptied, "forgotten": forgotten}
