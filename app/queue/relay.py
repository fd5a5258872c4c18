"""The supervised loop that makes Redis true again, safe to run on every host.

Each look: what is due becomes queued, leases that ran out are taken back, the schedule fires, and each queue's window
in Redis is filled with what is ready. It never remembers what it published: it compares. So whatever Redis lost – a
push, a pop, everything – comes back at the next look. Beside it, a thread tells of failures that workers did not.
"""

import logging
import signal
import threading
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import Select, select, update
from sqlalchemy.exc import DBAPIError

from app.db import reading, session
from app.models import Job
from app.models.base import now
from app.models.job import HELD, LANES
from app.queue import doorbell, recurrences, reports, rescue, signals
from app.queue.doorbell import Ring

log = logging.getLogger(__name__)

TICK_SECONDS = 0.5
BATCH = 500
LAST_WORD_SECONDS = 2  # for an alert that is on its way; else it is repeated
ALIVE_KEY = "accepted:relay"  # in Redis, while some relay looks
ALIVE_SECONDS = 10


def run() -> int:
    """Looks until SIGTERM or SIGINT. A database or Redis that is away is waited for."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    teller = threading.Thread(target=reports.run, args=(stop,), name="reports", daemon=True)
    teller.start()
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
    teller.join(LAST_WORD_SECONDS)
    log.info("relay stopped")
    return 0


def look() -> bool:
    """One look at everything. True if there is more to do at once."""
    more = make_due_ready() == BATCH
    take_back_lost()
    recurrences.fire()
    doorbell.connection().set(ALIVE_KEY, now().isoformat(), ex=ALIVE_SECONDS)
    for queue in LANES:
        fill(queue)
    return more


def _rows(statement: Select[Any]) -> list[Any]:
    """Reads without taking SQLite's write lock: most looks find nothing to do."""
    with reading():
        found = list(session.scalars(statement))
        session.expunge_all()  # read once, used after the transaction
    return found


def make_due_ready() -> int:
    """scheduled and retrying jobs whose moment has come → queued. Their number."""
    due = (Job.status.in_(("scheduled", "retrying")), Job.run_at <= now())
    ids = _rows(select(Job.id).where(*due).order_by(Job.run_at).limit(BATCH))
    if ids:
        statement = update(Job).where(Job.id.in_(ids), *due).values(status="queued")
        session.execute(statement.execution_options(synchronize_session=False))
        signals.tell_after_commit(*ids)
        session.commit()
    return len(ids)


def take_back_lost() -> None:
    """Jobs of workers that fell silent go back to their queue, or are parked after the third time."""
    for job in _rows(select(Job).where(Job.status.in_(HELD), Job.lease_expires_at <= now()).limit(BATCH)):
        rescue.rescue(job)


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
    missing = [Ring.of(job) for job in _rows(ready) if job.id not in there]
    if missing:
        doorbell.ring(missing)
        log.info("relay: rang for %d job(s) in %s", len(missing), queue)
    return len(missing)
