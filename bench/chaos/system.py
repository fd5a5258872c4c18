"""What is put under fire: the methods that load, injector and oracle need of it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import psutil

from bench.chaos.failpoints import Failpoints
from bench.chaos.plan import Task


@dataclass(frozen=True)
class Run:
    """One job as the system itself sees it in the end."""

    status: str  # succeeded, failed, parked (failed for its workers' deaths), pending or lost
    effects: int = 0
    stale: int = 0  # effects of an attempt that is not the one that succeeded
    failing: int = 0  # in which way it was told to fail
    is_mail: bool = False  # its effect is a mail, and a repeat under the same Message-ID none of its own


@dataclass
class Facts:
    """What is left when the smoke is gone."""

    runs: dict[str, Run] = field(default_factory=dict)
    restarts: list[tuple[int, datetime, datetime | None]] = field(default_factory=list)
    """Attempts that were cut off: the worker's pid, when the attempt began, and when the next one did."""
    reports: dict[str, int] | None = None  # alerts by job, each counted by its own id; None: it has no alerts
    repeats: int = 0  # alerts that came again under the same id
    alerts: list[dict[str, Any]] = field(default_factory=list)  # all that arrived, for the log
    counted: int = 0  # jobs that alerts only count
    statuses: dict[int, int] = field(default_factory=dict)  # answers by status; 0: there was none
    mails: int | None = None  # None: it sends none
    mail_repeats: int = 0  # mails that came again under the same Message-ID
    followers: set[str] = field(default_factory=set)  # jobs that other jobs asked for in the commit of their success
    orphans: int = 0  # jobs like these that no such commit knows of


class System(Protocol):
    name: str
    targets: tuple[str, ...]  # what there is to strike
    can_be_wiped: bool
    failpoints: Failpoints | None
    programs: tuple[str, ...]  # what a rolling restart restarts, one after the other

    def post(self, task: Task) -> str | None:
        """Asks for the work; the job's id if it was accepted."""

    def processes(self, target: str) -> list[psutil.Process]: ...

    def pid_of(self, process: psutil.Process) -> int:
        """The number by which a worker's attempts name it."""
        ...

    def wipe(self) -> None:
        """Raises RedisError if Redis is away."""

    def black_out(self) -> None:
        """Kills everything at once, and returns when it is there again."""

    def restart(self, program: str) -> None:
        """As a deploy does; returns when everything is ready again."""

    def is_settled(self, accepted: set[str]) -> bool:
        """Whether nothing is left to wait for."""

    def is_told(self) -> bool:
        """Whether all alerts have been sent."""

    def facts(self, accepted: dict[str, Task]) -> Facts: ...


def of_workers(found: list[psutil.Process], target: str) -> list[psutil.Process]:
    """Of workers and their children, the ones or the others."""
    pids = {process.pid for process in found}
    return [process for process in found if (process.ppid() in pids) == (target == "child")]
