"""Wake-ups: whoever moves a job tells those who wait for it, in any process, through Redis' pub/sub, after the commit.

A wake-up is only a hint to look at the ledger. One that is lost costs time: who waits looks every second anyway.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import event
from sqlalchemy.orm import Session

from app.config import settings
from app.db import session
from app.queue import doorbell

log = logging.getLogger(__name__)

CHANNEL = "accepted:moved"
LOOK_SECONDS = 1.0  # how long a lost wake-up can cost
RECONNECT_SECONDS = 1.0
MOST_WAITING = 100  # threads of one process; commands/web.py has as many more than it needs for everything else

places = threading.BoundedSemaphore(MOST_WAITING)
_lock = threading.Lock()
_waiting: dict[str, set[threading.Event]] = {}  # by job, in this process
_listener: list[threading.Thread] = []


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
    """Looks now, at every wake-up and every second, until `look` finds what it wants or the time is over. Between two
    looks this thread holds no transaction and no database connection: what is loaded stays readable, detached."""
    deadline = time.monotonic() + seconds
    with _woken(job_id) as wake_up:
        while True:
            wake_up.clear()
            try:
                found = look()
            finally:
                session.remove()
            left = deadline - time.monotonic()
            if found or left <= 0:
                return found
            wake_up.wait(min(left, LOOK_SECONDS))


def try_to_wait(look: Callable[[], bool], job_id: str, seconds: float) -> bool | None:
    """`wait_until`; or None at once, if so many wait already that others would find no thread."""
    if not places.acquire(blocking=False):
        return None
    try:
        return wait_until(look, job_id, seconds)
    finally:
        places.release()


@contextmanager
def _woken(job_id: str) -> Iterator[threading.Event]:
    """An event that is set whenever somebody tells that this job moved."""
    wake_up = threading.Event()
    with _lock:
        _waiting.setdefault(job_id, set()).add(wake_up)
        if not _listener:
            _listener.append(threading.Thread(target=_listen, name="signals", daemon=True))
            _listener[0].start()
    try:
        yield wake_up
    finally:
        with _lock:
            _waiting[job_id].discard(wake_up)
            if not _waiting[job_id]:
                del _waiting[job_id]


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


def wake(job_ids: list[str]) -> None:
    """Wakes this process's waiters for these jobs."""
    with _lock:
        for job_id in job_ids:
            for wake_up in _waiting.get(job_id, ()):
                wake_up.set()
