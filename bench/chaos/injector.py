"""Strikes by the plan, and notes what was really hit, and when."""

import signal
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import psutil
from redis.exceptions import RedisError

from bench.chaos.plan import Strike
from bench.chaos.system import System

PATIENCE_SECONDS = 5  # for a target that is down already, and for the last armed points to be reached


@dataclass(frozen=True)
class Hit:
    strike: Strike
    moment: datetime
    pid: int = 0  # of the process, of a worker its child's
    program: str = ""  # that died at a failpoint


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
        points = self.system.failpoints
        if points is not None:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while points.is_armed and time.monotonic() < deadline:
                time.sleep(0.05)
            points.disarm()

    def _hit(self, strike: Strike) -> bool:
        """False if there is nothing to hit at the moment."""
        try:
            if strike.action == "failpoint":
                return self.system.failpoints is not None and self.system.failpoints.arm_one(strike.pick)
            if strike.action in ("kill", "pause"):
                return self._hit_process(strike)
            moment = datetime.now(UTC)
            if strike.action == "wipe":
                self.system.wipe()
            else:
                self.system.black_out()
            self.hits.append(Hit(strike, moment))
            return True
        except (psutil.Error, RedisError):
            return False

    def _hit_process(self, strike: Strike) -> bool:
        there = self.system.processes(strike.target)
        if not there:
            return False
        process = there[int(strike.pick * len(there))]
        pid = self.system.pid_of(process)
        if strike.action == "kill":
            process.kill()
        else:
            # A worker is paused whole, as with its machine: else one half of it would go on for the other.
            both = [process, *process.children()] if strike.target == "worker" else [process]
            stopped: list[psutil.Process] = []
            try:
                for one in both:
                    one.suspend()
                    stopped.append(one)
            finally:  # one half may have died in between: the other must not stand still for ever
                self._resume_later(stopped, strike.seconds)
        self.hits.append(Hit(strike, datetime.now(UTC), pid))
        return True

    def _resume_later(self, processes: list[psutil.Process], seconds: float) -> None:
        def resume() -> None:
            for process in reversed(processes):  # the child first: it still believes that the job is its own
                try:
                    process.send_signal(signal.SIGCONT)
                except psutil.Error:
                    pass  # killed meanwhile

        timer = threading.Timer(seconds, resume)
        self._timers.append(timer)
        timer.start()


def deaths(system: System) -> list[Hit]:
    """Who died at a failpoint so far."""
    found = system.failpoints.deaths() if system.failpoints is not None else []
    return [Hit(Strike(0, "failpoint", one.point, 0), one.moment, one.pid, one.program) for one in found]
