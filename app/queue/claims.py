"""A worker's hold on a job: how it gets one, and keeps it. What comes of the job then is in ledger.py.

No function here commits; the caller's transaction decides.
"""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import aliased

from app.db import session
from app.models import Job
from app.models.base import now
from app.models.job import HELD
from app.queue import signals

LEASE_SECONDS = 8  # how long a silent worker keeps its job; with all that follows, well inside the promised 15


@dataclass(frozen=True)
class Claim:
    """A worker's hold on one attempt of one job."""

    id: str
    attempt: int
    type: str
    queue: str
    share: str
    at_once: int | None
    args: dict[str, Any]
    account_id: int | None
    request_id: str | None
    charged: int
    max_attempts: int
    started_at: datetime
    worker: str
    history: list[dict[str, Any]]


def claim(job_id: str, worker: str) -> Claim | None:
    """queued → running, under a lease. None if somebody was quicker, the job no longer waits, or as many of its share
    run as may."""
    claimed = _claim_if(Job.at_once.is_(None), job_id, worker)
    if claimed is not None:
        return claimed
    limited = select(Job.share).where(Job.id == job_id, Job.status == "queued", Job.at_once.is_not(None))
    share = session.scalar(limited)
    if share is None:
        return None
    if session.get_bind().dialect.name == "postgresql":  # else two that ask at once both see room for one
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(share, 0))))
    other = aliased(Job)
    running = select(func.count()).where(other.share == share, other.status.in_(HELD)).scalar_subquery()
    return _claim_if(running < Job.at_once, job_id, worker)


def _claim_if(condition: ColumnElement[bool], job_id: str, worker: str) -> Claim | None:
    moment = now()
    columns = (Job.attempt, Job.type, Job.queue, Job.share, Job.at_once, Job.args, Job.account_id, Job.request_id)
    # Another worker that was stopped in the middle of its claim holds the row's lock: to wait for it would hold up one
    # worker after the other, each as it is rung for the job again.
    waits = (Job.id == job_id, Job.status == "queued", Job.run_at <= moment, condition)
    free = select(Job.id).where(*waits).with_for_update(skip_locked=True, of=Job).scalar_subquery()
    statement = (
        update(Job)
        .where(Job.id == free)
        .values(
            status="running",
            attempt=Job.attempt + 1,
            worker=worker,
            started_at=moment,
            lease_expires_at=moment + timedelta(seconds=LEASE_SECONDS),
        )
        .returning(*columns, Job.charged, Job.max_attempts, Job.history)
        .execution_options(synchronize_session=False)
    )
    row = session.execute(statement).one_or_none()
    if row is None:
        return None
    signals.tell_after_commit(job_id)
    return Claim(id=job_id, worker=worker, started_at=moment, **row._asdict())


def claim_of(job: Job) -> Claim:
    """The hold on a job's present attempt, for whoever settles it in the worker's place."""
    names = [field.name for field in fields(Claim)]
    return Claim(**{name: getattr(job, name) for name in names})


def extend(job_id: str, attempt: int) -> float | None:
    """The worker is alive: the lease of this attempt starts anew. For how many seconds it is canceling, if it is."""
    statement = (
        update(Job)
        .where(Job.id == job_id, Job.attempt == attempt, Job.status.in_(HELD))
        .values(lease_expires_at=now() + timedelta(seconds=LEASE_SECONDS))
        .returning(Job.status, Job.cancel_requested_at)
    )
    row = session.execute(statement.execution_options(synchronize_session=False)).one_or_none()
    if row is None or row.status != "canceling":
        return None
    return float((now() - row.cancel_requested_at).total_seconds())
