"""Jobs whose worker is gone: back to their queue, canceled if that was asked for, or parked the third time."""

import logging

from redis.exceptions import RedisError
from sqlalchemy import select

from app.db import reading, session
from app.models import Job
from app.models.base import now
from app.models.job import HELD
from app.queue import doorbell, failpoints, ledger, names

log = logging.getLogger(__name__)

BATCH = 500


def take_back_lost() -> None:
    """Jobs of workers that fell silent, or that are seen to be gone. The relay sees to it twice a second; and every
    worker's parent now and then, in case that the relay is dead, too."""
    for job, is_gone in _lost():
        if _is_free(job):
            rescue(job, at_once=is_gone)
        else:
            session.rollback()


def _lost() -> list[tuple[Job, bool]]:
    """Each with whether its worker is known to be dead; of the others the lease has run out."""
    with reading():
        held = session.execute(select(Job.id, Job.worker, Job.lease_expires_at).where(Job.status.in_(HELD))).all()
        moment = now()
        lost = {
            job_id: is_gone
            for job_id, worker, lease in held
            if (is_gone := names.is_gone(worker or "")) or (lease is not None and lease <= moment)
        }
        jobs = list(session.scalars(select(Job).where(Job.id.in_(list(lost)[:BATCH])))) if lost else []
        session.expunge_all()
    return [(job, lost[job.id]) for job in jobs]


def rescue(job: Job, *, at_once: bool = False, cause: str = "The worker vanished") -> str | None:
    """Takes the job from its worker, whose lease has run out – or, with `at_once`, who is known to be dead. Commits.

    Returns the new status, or None if the worker was not gone, or somebody else was quicker.
    """
    status = ledger.take_back(job, at_once=at_once, cause=cause)
    session.commit()
    if status is None:
        return None
    failpoints.reach("taken-back")
    log.warning("%s %s: worker %s is gone in attempt %d: %s", job.type, job.id, job.worker, job.attempt, status)
    tell_redis(job, status)
    return status


def _is_free(job: Job) -> bool:
    """False while a worker that was stopped in the middle of a commit holds the row: to wait for it would hold up all
    other jobs."""
    return session.scalar(select(Job.id).where(Job.id == job.id).with_for_update(skip_locked=True)) is not None


def tell_redis(job: Job, status: str) -> None:
    """RQ's books on the attempt are closed, and the bell rings again. If Redis is away the relay does it later."""
    try:
        doorbell.forget([job.id], job.queue)
        if status == "queued":
            doorbell.ring([doorbell.Ring.of(job, first=True)])  # it has waited its turn already
    except RedisError as error:
        log.warning("redis is away (%s): job %s waits for the relay", error, job.id)
