"""Jobs whose worker is gone: back to their queue, canceled if that was asked for, or parked the third time."""

import logging

from redis.exceptions import RedisError

from app.db import session
from app.errors import JobFailed
from app.models import Job
from app.queue import doorbell, failpoints, ledger, runner

log = logging.getLogger(__name__)


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
    if status == "failed":
        runner.report(job, JobFailed(f"{job.type} killed its worker"))
    return status


def tell_redis(job: Job, status: str) -> None:
    """RQ's books on the attempt are closed, and the bell rings again. If Redis is away the relay does it later."""
    try:
        doorbell.forget([job.id], job.queue)
        if status == "queued":
            doorbell.ring([doorbell.Ring.of(job)], first=True)  # it has waited its turn already
    except RedisError as error:
        log.warning("redis is away (%s): job %s waits for the relay", error, job.id)
