"""Kills, pauses and wipes by the plan, and notes what was really hit, and when."""

import signal
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import psutil
from redis.exceptions import RedisError

from bench.chaos.plan import Strike
from bench.chaos.system import System

PATIENCE_SECONDS = 5  # for a target that is down already


@dataclass(frozen=True)
class Hit:
    strike: Strike
    moment: datetime
    pid: int  # 0: a wipe


class Injector:
    def __init__(self, system: System, strikes: list[Strike]):
        able = system.can_be_wiped
        self.system = system
        self.strikes = [one for one in strikes if one.target in system.targets and (able or one.action != "wipe")]
        self.hits: list[Hit] = []
        self._timers: list[threading.Timer] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._began = time.monotonic()
        self._thread.start()

    def join(self) -> None:
        """Returns when everything was done and every paused process goes on."""
        self._thread.join()
        for timer in self._timers:
            timer.join()

    @property
    def is_busy(self) -> bool:
        return self._thread.is_alive() or any(timer.is_alive() for timer in self._timers)

    def _run(self) -> None:
        for strike in self.strikes:
            time.sleep(max(0.0, self._began + strike.at - time.monotonic()))
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not self._hit(strike) and time.monotonic() < deadline:
                time.sleep(0.05)

    def _hit(self, strike: Strike) -> bool:
        """False if there is nothing to hit at the moment."""
        try:
            if strike.action == "wipe":
                self.system.wipe()
                self.hits.append(Hit(strike, datetime.now(UTC), 0))
                return True
            there = self.system.processes(strike.target)
            if not there:
                return False
            process = there[int(strike.pick * len(there))]
            pid = self.system.pid_of(process)
            if strike.action == "kill":
                process.kill()
            else:
                process.suspend()
                self._resume_later(process, strike.seconds)
            self.hits.append(Hit(strike, datetime.now(UTC), pid))
            return True
        except (psutil.Error, RedisError):
            return False

    def _resume_later(self, process: psutil.Process, seconds: float) -> None:
        def resume() -> None:
            try:
                process.send_signal(signal.SIGCONT)
            except psutil.Error:
                pass  # killed meanwhile

        timer = threading.Timer(seconds, resume)
        self._timers.append(timer)
        timer.start()
