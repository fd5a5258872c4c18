"""Who runs and who stands in line. Thousands of threads may wait; but if all of them ran, nobody would get anywhere.

So requests that ask to wait, or for a stream, take their turn at one door, and all others at another, wider one. Who
goes to sleep steps aside, and takes another turn when woken. A crowd – all clients that come back after a restart, or
the followers of one job – then costs the others a small share of the processor, and no database connection.
"""

import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

WAIT = re.compile(r"""(?:^|,)\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(?=[,;]|$)""", re.IGNORECASE)
ORDINARY = 32  # at once, in a process; each may use a database connection

ordinary = threading.BoundedSemaphore(ORDINARY)
patient = threading.BoundedSemaphore(4)
_held: ContextVar[threading.Semaphore | None] = ContextVar("held", default=None)


def in_turns(application: WSGIApplication) -> WSGIApplication:
    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        can_wait = WAIT.search(environ.get("HTTP_PREFER", "")) or environ["PATH_INFO"].endswith("/events")
        with turn(patient if can_wait else ordinary):
            return application(environ, start_response)

    return call


@contextmanager
def turn(door: threading.Semaphore) -> Iterator[None]:
    with door:
        token = _held.set(door)
        try:
            yield
        finally:
            _held.reset(token)


@contextmanager
def stepping_aside() -> Iterator[None]:
    """While this thread sleeps, another may have its turn."""
    door = _held.get()
    if door is not None:
        door.release()
    try:
        yield
    finally:
        if door is not None:
            door.acquire()
