"""The supervised loop that makes Redis true again, safe to run on every host.

Each look: what is due becomes queued, leases that ran out are taken back, the schedule fires, and each queue's window
in Redis is filled with what is ready. It never remembers what it published: it compares. So whatever Redis lost – a
push, a pop, everything – comes back at the next look. Beside it, a thread tells of failures that workers did not.
"""

import logging
import signal
import threading
from contextlib import suppress
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy import Select, select, update
from sqlalchemy.exc import DBAPIError

from app.db import reading, session
from app.models import Job
from app.models.base import now
from app.models.job import LANES
from app.queue import doorbell, failpoints, recurrences, reports, rescue, signals, turns
from app.queue.doorbell import Ring

log = logging.getLogger(__name__)

TICK_SECONDS = 0.5
BATCH = 500
LAST_WORD_SECONDS = 2  # for an alert that is on its way; else it is repeated
ALIVE_KEY = "accepted:relay"  # in Redis, while some relay looks
ALIVE_SECONDS = 10
STAND_IN_KEY = "accepted:relay:stand-in"  # while somebody else looks for it
QUIET_SECONDS = 2  # without a look, then somebody stands in


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
            with suppress(RedisError):  # the ledger is looked after meanwhile; and then it is said what is away
                doorbell.connection().set(ALIVE_KEY, now().isoformat(), ex=ALIVE_SECONDS)
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


def stand_in() -> None:
    """What every worker's parent does now and then: looks for lost jobs, and if no relay has looked for a while, does
    all that it does. If Redis is away, there is nothing to ring."""
    rescue.take_back_lost()
    try:
        client = doorbell.connection()
        quiet = client.pttl(ALIVE_KEY) < (ALIVE_SECONDS - QUIET_SECONDS) * 1000
        if quiet and client.set(STAND_IN_KEY, "", nx=True, px=QUIET_SECONDS * 1000):
            look()
    except RedisError as error:
        log.warning("redis is away: %s", error)


def look() -> bool:
    """One look at everything. True if there is more to do at once."""
    more = make_due_ready() == BATCH
    rescue.take_back_lost()
    recurrences.fire()
    rung = [fill(queue) for queue in LANES]
    return more or max(rung) > doorbell.WINDOW // 2  # the workers are quick: they shall not wait for the next look


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
        free = select(Job.id).where(Job.id.in_(ids), *due).with_for_update(skip_locked=True)
        statement = update(Job).where(Job.id.in_(free.scalar_subquery())).values(status="queued")
        session.execute(statement.execution_options(synchronize_session=False))
        signals.tell_after_commit(*ids)
        session.commit()
        failpoints.reach("due")
    return len(ids)


def fill(queue: str) -> int:
    """Rings for the next jobs that are not in the queue's window, and sees to it that all have their turn. The number
    of those that it rang for."""
    there = doorbell.waiting_ids(queue)
    with reading():
        wanted = turns.next_in_line(queue, doorbell.WINDOW)
    known = set(there)
    missing = [job_id for job_id in wanted if job_id not in known]
    if missing:
        jobs = {job.id: job for job in _rows(select(Job).where(Job.id.in_(missing)))}
        doorbell.ring([Ring.of(jobs[job_id]) for job_id in missing if job_id in jobs])
        log.info("relay: rang for %d job(s) in %s", len(missing), queue)
    if [*there, *missing][: len(wanted)] != wanted:
        doorbell.reorder(queue, wanted)
    return len(missing)
