"""The supervised loop that makes Redis true again, safe to run on every host.

Each look: what is due becomes queued, leases that ran out are taken back, the schedule fires, failures that were not
reported are, and each queue's window in Redis is filled with what is ready. It never remembers what it published: it
compares. So whatever Redis lost – a push, a pop, everything – comes back at the next look.
"""

import logging
import signal
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import Select, select, update
from sqlalchemy.exc import DBAPIError

from app.db import read_only, session
from app.errors import JobFailed
from app.models import Job
from app.models.base import now
from app.models.job import HELD, LANES
from app.queue import doorbell, failpoints, recurrences, rescue, runner, signals
from app.queue.doorbell import Ring

log = logging.getLogger(__name__)

TICK_SECONDS = 0.5
BATCH = 500
REPORT_GRACE = timedelta(seconds=30)  # a worker reports its own failures; these are the ones that it could not
ALIVE_KEY = "accepted:relay"  # in Redis, while some relay looks
ALIVE_SECONDS = 10


def run() -> int:
    """Looks until SIGTERM or SIGINT. A database or Redis that is away is waited for."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    log.info("relay started")
    while not stop.is_set():
        try:
            busy = look()
        except (RedisError, DBAPIError) as error:
            log.warning("relay: %s is away: %s", "redis" if isinstance(error, RedisError) else "the database", error)
            busy = False
        finally:
            session.remove()
        stop.wait(0 if busy else TICK_SECONDS)
    log.info("relay stopped")
    return 0


def look() -> bool:
    """One look at everything. True if there is more to do at once."""
    more = make_due_ready() == BATCH
    take_back_lost()
    recurrences.fire()
    report_unreported()
    doorbell.connection().set(ALIVE_KEY, now().isoformat(), ex=ALIVE_SECONDS)
    for queue in LANES:
        fill(queue)
    return more


def _read(query: Callable[[], Any]) -> Any:
    """Reads without taking SQLite's write lock: most looks find nothing to do."""
    token = read_only.set(True)
    try:
        return query()
    finally:
        session.rollback()
        read_only.reset(token)


def _rows(statement: Select[Any]) -> list[Any]:
    def query() -> list[Any]:
        found = list(session.scalars(statement))
        session.expunge_all()  # read once, used after the transaction
        return found

    return list(_read(query))


def make_due_ready() -> int:
    """scheduled and retrying jobs whose moment has come → queued. Their number."""
    due = (Job.status.in_(("scheduled", "retrying")), Job.run_at <= now())
    ids = _rows(select(Job.id).where(*due).order_by(Job.run_at).limit(BATCH))
    if ids:
        statement = update(Job).where(Job.id.in_(ids), *due).values(status="queued")
        session.execute(statement.execution_options(synchronize_session=False))
        signals.tell_after_commit(*ids)
        session.commit()
        failpoints.reach("due")
    return len(ids)


def take_back_lost() -> None:
    """Jobs of workers that fell silent go back to their queue, or are parked after the third time."""
    for job in _rows(select(Job).where(Job.status.in_(HELD), Job.lease_expires_at <= now()).limit(BATCH)):
        rescue.rescue(job)


def report_unreported() -> None:
    """Final failures that nobody was told of, since the worker died in between or the alert service was away."""
    missed = (Job.status == "failed", Job.reported_at.is_(None), Job.finished_at <= now() - REPORT_GRACE)
    for job in _rows(select(Job).where(*missed).order_by(Job.finished_at).limit(10)):
        cause = job.history[-1]["error"] if job.history else "unknown"
        if not runner.report(job, JobFailed(f"{job.type} failed: {cause}")):
            return  # the alert service is away; the next look tries again


def fill(queue: str) -> int:
    """Rings for ready jobs that are not in the queue's window, until it is full. Their number."""
    there = doorbell.waiting_ids(queue)
    if len(there) >= doorbell.WINDOW:
        return 0
    ready = (
        select(Job)
        .where(Job.status == "queued", Job.queue == queue, Job.run_at <= now())
        .order_by(Job.run_at, Job.id)
        .limit(doorbell.WINDOW)
    )
    missing = [job for job in _rows(ready) if job.id not in there]
    for again in (False, True):  # one whose worker died has waited its turn: it goes before everything
        rings = [Ring.of(job) for job in missing if (job.crashes > 0) == again]
        if rings:
            doorbell.ring(rings, first=again)
            log.info("relay: rang for %d job(s) in %s", len(rings), queue)
    return len(missing)
