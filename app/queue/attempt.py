"""The attempt in hand, and `checkpoint()`: what a job calls in every loop – save the work so far, report progress,
stop here if canceled."""

import threading
from contextvars import ContextVar
from datetime import datetime
from typing import NoReturn

from app.db import session
from app.queue import claims, ledger

stopping = threading.Event()  # this worker has to go: soon
running: ContextVar[claims.Claim | None] = ContextVar("running", default=None)


class Stopped(BaseException):
    """Unwinds a job that must not go on. No error: `except Exception` in a job does not swallow it."""


class Canceled(Stopped):
    """Somebody asked for it."""


class LeaseLost(Stopped):
    """The job belongs to another worker by now; what this one did since its last checkpoint counts for nothing."""


class Interrupted(Stopped):
    """The worker has to go, and the grace period is over."""


class Postponed(Stopped):
    """The job has done what it can for now."""

    def __init__(self, until: datetime):
        super().__init__()
        self.until = until


def checkpoint(
    done: int | None = None, total: int | None = None, *, failed: int = 0, message: str | None = None
) -> None:
    """Commits the work so far together with the progress (`done` and `failed` of `total` pieces).

    Outside a job it only commits, so that a job's function can be called directly.
    """
    claim = running.get()
    if claim is None:
        session.commit()
        return
    pieces = None if done is None else (done, failed, max(total or 0, done + failed))
    status = ledger.progress(claim, message, pieces)
    if status is None:
        raise LeaseLost
    session.commit()
    if status == "canceling":
        raise Canceled


def postpone(until: datetime) -> NoReturn:
    """Ends this attempt here, uncharged; the job goes on, from its beginning, at this moment. What it wrote since its
    last checkpoint is committed with that. So a job that waits, or takes hours, holds no worker meanwhile."""
    raise Postponed(until)


def is_stopping() -> bool:
    """Whether this worker has to go. A job that can't be cut off anywhere postpones itself then, in seconds."""
    return stopping.is_set()
