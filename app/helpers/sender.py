"""Carries notices to the collector: at once, or from a bounded queue by one background thread.

Nothing here raises, and nothing waits longer than it was told to. What a notice says is made in monitoring.py.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError

from app.helpers.honeybadger_client import PATIENCE, post

logger = logging.getLogger(__name__)

QUEUE_SIZE = 1000
PAUSES = (1.0, 5.0)  # seconds before the second and third try of a queued notice


def send(notice: Any, patience: float = PATIENCE) -> tuple[bool, bool]:
    """Sends one notice now: (was it taken?, is another try worth while?)."""
    try:
        post(notice, patience)
    except Exception as error:
        status = error.code if isinstance(error, HTTPError) else None
        reason = f"it answered {status}" if status else f"{type(error).__name__}: {error}"
        logger.warning("Honeybadger did not take notice %s: %s", notice.id, reason)
        return False, status is None or status >= 500 or status in (408, 429)
    return True, False


class Sender:
    """The queue and its thread. The thread starts with the first notice, so that a fork after start-up has its own."""

    def __init__(self, loss_notice: Callable[[int], Any]):
        """`loss_notice(n)` makes the notice that says that n others were lost."""
        self._loss_notice = loss_notice
        self._waiting: deque[Any] = deque()
        self._changed = threading.Condition()
        self._hurry = threading.Event()
        self._thread: threading.Thread | None = None
        self._in_flight = 0
        self._lost = 0

    def put(self, notice: Any) -> bool:
        """Queues the notice, or counts it as lost where the queue is full. Returns at once."""
        with self._changed:
            if len(self._waiting) >= QUEUE_SIZE:
                self._count_loss("too many are waiting")
                return False
            self._waiting.append(notice)
            self._changed.notify_all()
            self._start()
        return True

    def flush(self, timeout: float) -> bool:
        """Sends what waits, each once and without pauses; True if nothing is left before the time is up."""
        deadline = time.monotonic() + timeout
        self._hurry.set()
        try:
            # This thread helps, because at the interpreter's end the background thread may be gone for good.
            while time.monotonic() < deadline and (notice := self._take()) is not None:
                self._deliver(notice, deadline)
            with self._changed:
                self._changed.wait_for(self._is_idle, max(0.0, deadline - time.monotonic()))
                return self._is_idle()
        finally:
            self._hurry.clear()

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            try:
                self._thread = threading.Thread(target=self._run, name="honeybadger-sender", daemon=True)
                self._thread.start()
            except RuntimeError:  # the interpreter is ending: flush() sends it
                self._thread = None

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
            if (notice := self._take()) is not None:
                self._deliver(notice)

    def _take(self) -> Any | None:
        with self._changed:
            if not self._waiting:
                return None
            self._in_flight += 1
            return self._waiting.popleft()

    def _deliver(self, notice: Any, deadline: float | None = None) -> None:
        taken = False
        try:
            taken, again = send(notice, PATIENCE if deadline is None else deadline - time.monotonic())
            for pause in PAUSES:
                if taken or not again or deadline is not None:
                    break
                self._hurry.wait(pause)
                taken, again = send(notice)
            if taken:
                self._own_up()
        finally:
            with self._changed:
                self._in_flight -= 1
                if not taken:
                    self._count_loss("the collector did not take it")
                self._changed.notify_all()

    def _own_up(self) -> None:
        """Somebody must hear of what was lost, as soon as the collector listens again."""
        with self._changed:
            lost, self._lost = self._lost, 0
        if lost and not send(self._loss_notice(lost))[0]:
            with self._changed:
                self._lost += lost

    def _count_loss(self, reason: str) -> None:
        if not self._lost:
            logger.error("A notice for Honeybadger was lost, %s; further ones are only counted", reason)
        self._lost += 1

    def _is_idle(self) -> bool:
        return not self._waiting and not self._in_flight
