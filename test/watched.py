"""A worker for a process of its own, with jobs that misbehave and little patience."""

import hashlib
import os
import signal
import time
from functools import partial

from sqlalchemy import text

from app import config
from app.boot import boot
from app.commands.lifeline import die_with_parent
from app.db import session
from app.queue import checkpoint, job, watch, worker

MEMORY_BYTES = 400 << 20


@job()
def quick() -> int:
    return os.getpid()


@job()
def die() -> None:
    """As if the kernel had run out of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


@job(timeout_seconds=1, retries=0)
def stick() -> None:
    """Years in C, where no exception and no signal handler gets in."""
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)


@job()
def stand_still() -> None:
    """Stopped by somebody, with SQLite's lock for writers in hand."""
    session.execute(text("SELECT 1"))
    os.kill(os.getpid(), signal.SIGSTOP)


@job()
def hog() -> int:
    memory = bytearray(os.urandom(1 << 20) * 500)
    time.sleep(60)
    return len(memory)


@job()
def go_on(checkpoints: bool) -> None:
    """For ever, listening to nobody or at checkpoints."""
    while True:
        time.sleep(0.02)
        if checkpoints:
            checkpoint()


def main(_arguments: list[str]) -> int:
    die_with_parent()
    watch.HEARTBEAT_SECONDS, watch.OVERTIME_SECONDS, watch.CANCEL_SECONDS, watch.STAND_IN_SECONDS = 0.3, 1, 1, 1
    watch.LAST_WORD_SECONDS, worker.GRACE_SECONDS = 2, 1
    settings = config.load()
    boot(settings)
    return watch.Watch(partial(worker.work, settings.redis_url), die_with_parent, MEMORY_BYTES).run()
