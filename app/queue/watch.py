"""The parent of a worker. It never runs a job: it watches the child that does, keeps the lease of the job in hand, and
enforces from outside what a child that is stuck can't enforce itself.

The child tells through a pipe which attempt it holds. Whatever ends the child, the parent gives its job back at once
and starts another; if the parent is killed, the child dies with it and the lease runs out.
"""

import json
import logging
import os
import select
import signal
import time
from collections.abc import Callable
from typing import Any

import psutil
from sqlalchemy.exc import DBAPIError

from app.db import session
from app.models import Job
from app.models.job import HELD
from app.queue import claims, ledger, registry, relay, rescue, runner, stalled

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 2.0  # a quarter of a lease
LOOK_SECONDS = 0.25
STAND_IN_SECONDS = 2.0  # between two looks whether the relay is there, and SQLite's lock free
OVERTIME_SECONDS = 15  # beyond its timeout a job is stuck where no exception reaches it
CANCEL_SECONDS = 30  # a canceled job may take this long to its next checkpoint
LAST_WORD_SECONDS = 6  # after SIGTERM; the child's own grace is shorter, supervisord's patience longer
QUICK_DEATH_SECONDS = 1.0
MOST_QUICK_DEATHS = 5  # then supervisord, and whoever it tells, shall know

Report = Callable[[claims.Claim | None], None]


class Held:
    """The attempt that the child has in hand."""

    def __init__(self, job_id: str, attempt: int, timeout_seconds: int):
        self.id, self.attempt = job_id, attempt
        self.overdue_at = time.monotonic() + timeout_seconds + OVERTIME_SECONDS

    def row(self) -> Job | None:
        """The job, if it is still in this attempt."""
        session.rollback()
        job = session.get(Job, self.id, populate_existing=True)
        return job if job is not None and job.attempt == self.attempt and job.status in HELD else None


class Watch:
    """`work` is what the child does, with the function by which it reports; it returns when the child is to end."""

    def __init__(self, work: Callable[[Report], None], prepare_child: Callable[[], None], memory_bytes: int):
        self.work, self.prepare_child, self.memory_bytes = work, prepare_child, memory_bytes
        self.child = 0
        self.pipe = -1
        self.unread = b""
        self.held: Held | None = None
        self.stop_at: float | None = None  # when patience with a child that has to go is over
        self.started_at = self.beat_at = self.stand_in_at = 0.0
        self.quick_deaths = 0

    def run(self) -> int:
        """Until SIGTERM or SIGINT, or until the child dies at every start."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while self.stop_at is None and self.quick_deaths < MOST_QUICK_DEATHS:
            self._start()
            while self.child:
                self._look()
        return 0 if self.stop_at is not None else 1

    def _stop(self, *_: Any) -> None:
        self.stop_at = time.monotonic() + LAST_WORD_SECONDS
        if self.child:
            os.kill(self.child, signal.SIGTERM)

    def _start(self) -> None:
        self.pipe, end = os.pipe()
        self.unread, self.held, self.started_at = b"", None, time.monotonic()
        session.remove()
        self.child = os.fork()
        if self.child == 0:
            os.close(self.pipe)
            self._be_the_child(end)
        os.close(end)

    def _be_the_child(self, end: int) -> None:
        """Never returns. The parent's connections are the parent's."""
        code = 1
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            self.prepare_child()
            session.get_bind().dispose(close=False)  # type: ignore[union-attr]
            self.work(lambda claim: _tell(end, claim))
            code = 0
        except Exception:
            log.exception("the worker ended")
        finally:
            logging.shutdown()
            os._exit(code)

    def _look(self) -> None:
        ready, _, _ = select.select([self.pipe], [], [], LOOK_SECONDS)
        if ready and not self._read():
            self._bury()
            return
        moment = time.monotonic()
        if self.stop_at is not None and moment > self.stop_at:
            self._kill()
            return
        try:
            if self.held is not None:
                self._check(self.held, moment)
            if moment > self.stand_in_at:
                self.stand_in_at = moment + STAND_IN_SECONDS
                stalled.free_lock()
                relay.stand_in()
        except DBAPIError as error:
            log.warning("the database is away: %s", error)
        finally:
            session.remove()

    def _read(self) -> bool:
        """Takes in what the child has told; False at its end."""
        told = os.read(self.pipe, 65536)
        *lines, self.unread = (self.unread + told).split(b"\n")
        if lines:
            latest = json.loads(lines[-1])
            self.held = Held(**latest) if latest else None
            self.beat_at = time.monotonic()
        return bool(told)

    def _check(self, held: Held, moment: float) -> None:
        if moment > held.overdue_at:
            self._end_attempt(held, TimeoutError("the job was stuck"))
        elif moment > self.beat_at + HEARTBEAT_SECONDS:
            self.beat_at = moment
            stalled.free_lock()  # else the heartbeat would wait for it, too
            canceling_seconds = claims.extend(held.id, held.attempt)
            session.commit()
            if canceling_seconds is not None and canceling_seconds > CANCEL_SECONDS:
                self._end_attempt(held, None)
            elif psutil.Process(self.child).memory_info().rss > self.memory_bytes:
                log.error("job %s uses more than %d MiB: its process is killed", held.id, self.memory_bytes >> 20)
                self._kill()

    def _end_attempt(self, held: Held, error: Exception | None) -> None:
        """Kills the child and settles its attempt: as failed by this error, or as canceled."""
        self._kill()
        job = held.row()
        if job is None:
            return
        claim = claims.claim_of(job)
        outcome = (
            runner.raised(claim, error) if error else runner.settle(ledger.stop(claim), runner.Outcome("canceled"))
        )
        rescue.tell_redis(job, outcome.status)
        self.held = None

    def _kill(self) -> None:
        os.kill(self.child, signal.SIGKILL)

    def _bury(self) -> None:
        """The child is gone. A job that it held goes back to its queue now, and not when the lease runs out."""
        os.close(self.pipe)
        _, status = os.waitpid(self.child, 0)
        self.child = 0
        lived = time.monotonic() - self.started_at
        self.quick_deaths = self.quick_deaths + 1 if status and lived < QUICK_DEATH_SECONDS else 0
        try:
            job = self.held.row() if self.held else None
            if job is not None and self.stop_at is not None:
                rescue.tell_redis(job, runner.give_back(claims.claim_of(job)).status)
            elif job is not None:
                rescue.rescue(job, at_once=True, cause="The worker's process died")
        except DBAPIError as error:
            log.warning("the job in hand waits for its lease to run out: %s", error)
        finally:
            session.remove()


def _tell(end: int, claim: claims.Claim | None) -> None:
    """One line a change, short enough to be written whole."""
    told: dict[str, Any] | None = None
    if claim is not None:
        told = {"job_id": claim.id, "attempt": claim.attempt, "timeout_seconds": registry.timeout_of(claim.type)}
    os.write(end, json.dumps(told).encode() + b"\n")
