"""The engine's named points (app/queue/failpoints.py): arms them, and reads from the folder who died at which."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True)
class Death:
    point: str
    program: str
    pid: int
    moment: datetime


class Failpoints:
    """`points` are those that are drawn from; others are armed by name."""

    def __init__(self, folder: Path, points: tuple[str, ...]):
        self.folder, self.points = folder, points

    def arm(self, point: str) -> None:
        (self.folder / point).touch()

    def arm_one(self, pick: float) -> bool:
        """The one that `pick`, from 0 to 1, chooses, or the next that is not armed already."""
        first = int(pick * len(self.points))
        free = [point for point in (self.points * 2)[first:] if not (self.folder / point).exists()]
        if free:
            self.arm(free[0])
        return bool(free)

    @property
    def is_armed(self) -> bool:
        return any((self.folder / point).exists() for point in self.points)

    def disarm(self) -> None:
        for path in self.folder.iterdir():
            if "." not in path.name:
                path.unlink(missing_ok=True)

    def deaths(self) -> list[Death]:
        """When a file was renamed, its status changed, and nothing else ever changes it."""
        found = []
        for path in self.folder.glob("*.*.*"):
            point, program, pid = path.name.split(".")
            found.append(Death(point, program, int(pid), datetime.fromtimestamp(path.stat().st_ctime, UTC)))
        return found
