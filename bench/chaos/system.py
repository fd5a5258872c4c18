"""What is put under fire: the methods that load, injector and oracle need of it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import psutil

from bench.chaos.plan import Task


@dataclass(frozen=True)
class Run:
    """One job as the system itself sees it in the end."""

    status: str  # succeeded, failed, parked (failed for its workers' deaths), pending or lost
    effects: int = 0
    stale: int = 0  # effects of an attempt that is not the one that succeeded
    failing: bool = False  # it was told to fail


@dataclass
class Facts:
    """What is left when the smoke is gone."""

    runs: dict[str, Run] = field(default_factory=dict)
    restarts: list[tuple[int, datetime, datetime | None]] = field(default_factory=list)
    """Attempts that were cut off: the worker's pid, when the attempt began, and when the next one did."""
    reports: dict[str, int] | None = None  # alerts by job, each counted by its own id; None: it has no alerts
    repeats: int = 0  # alerts that came again under the same id


class System(Protocol):
    name: str
    targets: tuple[str, ...]  # programs that it has
    can_be_wiped: bool

    def post(self, task: Task) -> str | None:
        """Asks for the work; the job's id if it was accepted."""

    def processes(self, program: str) -> list[psutil.Process]: ...

    def pid_of(self, process: psutil.Process) -> int:
        """The number by which a worker's attempts name it."""
        ...

    def wipe(self) -> None:
        """Raises RedisError if Redis is away."""

    def is_settled(self, accepted: set[str]) -> bool:
        """Whether nothing is left to wait for."""

    def facts(self, accepted: dict[str, Task]) -> Facts: ...
