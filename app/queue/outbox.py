"""Hears the session's commit and tells Redis at once, in one round trip however many jobs the transaction made.

What does not get through only logs: the relay rings for whatever is ready and not in Redis.
"""

import logging

from redis.exceptions import RedisError
from sqlalchemy import event, inspect
from sqlalchemy.orm import Session

from app.db import session
from app.models import Job
from app.queue import doorbell, failpoints, turns

log = logging.getLogger(__name__)


def ring_after_commit(job: Job) -> None:
    """Notes a job that waits; the note is worth nothing unless the transaction commits."""
    session.info.setdefault("ring", []).append((job, doorbell.Ring.of(job)))


def forget_after_commit(job: Job) -> None:
    """Notes a job that no longer waits, so that RQ's tools stop showing it."""
    session.info.setdefault("forget", []).append((job.id, job.queue))


@event.listens_for(session, "after_commit")
def _tell(committed: Session) -> None:
    noted: list[tuple[Job, doorbell.Ring]] = committed.info.pop("ring", [])
    forgotten: list[tuple[str, str]] = committed.info.pop("forget", [])
    # A savepoint that was rolled back leaves its notes: only what is really in the database may ring.
    rings = [ring for job, ring in noted if inspect(job).persistent]
    if rings:
        failpoints.reach("committed")
        doorbell.try_to_ring(rings)
        doorbell.try_to_ring(turns.first_of_their_share(rings))
    for queue in sorted({queue for _, queue in forgotten}):
        ids = [job_id for job_id, its_queue in forgotten if its_queue == queue]
        try:
            doorbell.forget(ids, queue)
        except RedisError as error:
            log.warning("redis is away (%s): it goes on showing %d job(s) for a while", error, len(ids))


@event.listens_for(session, "after_rollback")
def _drop(rolled_back: Session) -> None:
    rolled_back.info.pop("ring", None)
    rolled_back.info.pop("forget", None)
