"""Wake-ups: whoever moves a job tells those who wait for it, in any process, through Redis' pub/sub, after the commit.

A wake-up is only a hint to look at the ledger. One that is lost costs time: every second one thread of each process
looks for all who wait in it.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import event, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.config import settings
from app.db import read_only, session
from app.helpers import doors
from app.models import JobEvent
from app.queue import doorbell

log = logging.getLogger(__name__)

CHANNEL = "accepted:moved"
LOOK_SECONDS = 1.0  # how long a lost wake-up can cost
LOOK_BATCH = 500  # jobs that one query asks for
RECONNECT_SECONDS = 1.0
MOST_WAITING = 2100  # threads of one process; commands/web.py has as many more than it needs for everything else

places = threading.BoundedSemaphore(MOST_WAITING)
closing = threading.Event()  # this process is to end: nobody waits any more
_lock = threading.Lock()
_waiting: dict[str, set[threading.Event]] = {}  # by job, in this process
_threads: list[threading.Thread] = []


def tell_after_commit(*job_ids: str) -> None:
    """Notes that these jobs moved; the note is worth nothing unless the transaction commits."""
    session.info.setdefault("moved", set()).update(job_ids)


@event.listens_for(session, "after_commit")
def _tell(committed: Session) -> None:
    moved: set[str] = committed.info.pop("moved", set())
    if moved:
        doorbell.try_to_publish(CHANNEL, " ".join(moved))


@event.listens_for(session, "after_rollback")
def _drop(rolled_back: Session) -> None:
    rolled_back.info.pop("moved", None)


def wait_until(look: Callable[[], bool], job_id: str, seconds: float) -> bool:
    """Looks now and whenever the job moved, until `look` finds what it wants or the time is over. Between two looks
    this thread holds no transaction and no database connection: what is loaded stays readable, detached."""
    deadline = time.monotonic() + seconds
    with woken(job_id) as wake_up:
        while True:
            wake_up.clear()
            if closing.is_set():
                return False
            try:
                found = look()
            finally:
                session.remove()
            left = deadline - time.monotonic()
            if found or left <= 0:
                return found
            with doors.stepping_aside():
                wake_up.wait(left)


def try_to_wait(look: Callable[[], bool], job_id: str, seconds: float) -> bool | None:
    """`wait_until`; or None at once, if so many wait already that others would find no thread."""
    if not places.acquire(blocking=False):
        return None
    try:
        return wait_until(look, job_id, seconds)
    finally:
        places.release()


@contextmanager
def woken(job_id: str) -> Iterator[threading.Event]:
    """An event that is set whenever this job may have moved, and when this process is to end."""
    wake_up = threading.Event()
    with _lock:
        _waiting.setdefault(job_id, set()).add(wake_up)
        if not _threads:
            for task in (_listen, _look):
                _threads.append(threading.Thread(target=task, name=f"signals{task.__name__}", daemon=True))
                _threads[-1].start()
    try:
        yield wake_up
    finally:
        with _lock:
            _waiting[job_id].discard(wake_up)
            if not _waiting[job_id]:
                del _waiting[job_id]


def wake(job_ids: list[str]) -> None:
    """Wakes this process's waiters for these jobs."""
    with _lock:
        for job_id in job_ids:
            for wake_up in _waiting.get(job_id, ()):
                wake_up.set()


def close() -> None:
    """Ends all waiting in this process."""
    closing.set()
    with _lock:
        waited_for = list(_waiting)
    wake(waited_for)


def _look() -> None:
    """The one thread of this process that looks for all."""
    read_only.set(True)
    seen: dict[str, int | None] = {}
    while True:
        time.sleep(LOOK_SECONDS)
        try:
            seen = look_for_all(seen)
        except SQLAlchemyError as error:
            log.warning("nobody looks after those who wait: %s", type(error).__name__)


def look_for_all(seen: dict[str, int | None]) -> dict[str, int | None]:
    """Wakes whose job has another last event than was `seen` in the look before, and returns what it sees now. Who came
    since then is woken too: the job may have moved between his own look and this one."""
    with _lock:
        ids = list(_waiting)
    latest: dict[str, int | None] = dict.fromkeys(ids)  # None: the job was forgotten, and its events with it
    last = select(JobEvent.job_id, func.max(JobEvent.seq)).group_by(JobEvent.job_id)
    try:
        for begin in range(0, len(ids), LOOK_BATCH):
            rows = session.execute(last.where(JobEvent.job_id.in_(ids[begin : begin + LOOK_BATCH])))
            latest.update((job_id, seq) for job_id, seq in rows)
    finally:
        session.remove()
    wake([job_id for job_id in ids if job_id not in seen or seen[job_id] != latest[job_id]])
    return latest


def _listen() -> None:
    """The one thread of this process that hears for all."""
    while True:
        try:
            with Redis.from_url(settings().redis_url, socket_connect_timeout=1, health_check_interval=10) as client:
                _hear(client)
        except (RedisError, OSError, ValueError) as error:  # ValueError: closed by the client's own end
            log.debug("no wake-ups for now: %s", error)
            time.sleep(RECONNECT_SECONDS)


def _hear(client: Redis) -> None:
    pubsub: Any = client.pubsub()  # type: ignore[no-untyped-call]
    with pubsub:
        pubsub.subscribe(CHANNEL)
        while True:
            message = pubsub.get_message(timeout=5)
            if message is not None and message["type"] == "message":
                wake(message["data"].decode().split())
