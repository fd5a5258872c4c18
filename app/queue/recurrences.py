"""What runs by itself: fires each line of the schedule once per due time, however many relays look.

A due time missed while everything was down fires once on return, not once per time missed.
"""

from dataclasses import dataclass
from datetime import datetime

from croniter import croniter
from sqlalchemy import select, update

from app.db import insert_unless_there, reading, session
from app.models import Recurrence
from app.models.base import now
from app.queue import failpoints, registry
from app.queue.client import enqueue


@dataclass(frozen=True)
class Line:
    """One line of the schedule: at every moment that fits `cron` (in UTC), the job `name`."""

    cron: str
    name: str

    def after(self, moment: datetime) -> datetime:
        following: datetime = croniter(self.cron, moment).get_next(datetime)
        return following


_lines: list[Line] = []


def schedule(lines: list[tuple[str, str]]) -> None:
    """Declares the whole schedule. A bad line is refused at start-up, not at its due time."""
    checked = [Line(cron, name) for cron, name in lines]
    for line in checked:
        registry.find(line.name).check({})
        if not croniter.is_valid(line.cron):
            raise ValueError(f"{line.name}: {line.cron!r} is no cron line")
    _lines[:] = checked


def fire() -> int:
    """Enqueues what is due; the number of jobs. Commits."""
    moment = now()
    known = _known()
    fired = 0
    for line in _lines:
        row = known.get(line.name)
        if row is None or row[0] != line.cron:
            _write_down(line, moment, new=row is None)
        elif row[1] <= moment and _take(line, row[1], moment):
            enqueue(line.name)
            failpoints.reach("fired")
            session.commit()
            fired += 1
    return fired


def _known() -> dict[str, tuple[str, datetime]]:
    with reading():
        rows = session.execute(select(Recurrence.name, Recurrence.cron, Recurrence.due_at)).all()
    return {name: (cron, due_at) for name, cron, due_at in rows}


def _write_down(line: Line, moment: datetime, *, new: bool) -> None:
    """A new line, or one whose times were changed, waits for its next due time."""
    due_at = line.after(moment)
    if new:
        session.execute(insert_unless_there(Recurrence).values(name=line.name, cron=line.cron, due_at=due_at))
    else:
        session.execute(
            update(Recurrence).where(Recurrence.name == line.name).values(cron=line.cron, due_at=due_at),
        )
    session.commit()


def _take(line: Line, due_at: datetime, moment: datetime) -> bool:
    """Moves the due time on, if no other relay did; then the firing is ours. Same transaction as the job. One that was
    stopped in the middle of its own is not waited for: who stands in has leases to keep."""
    free = select(Recurrence.name).where(Recurrence.name == line.name, Recurrence.due_at == due_at)
    row = free.with_for_update(skip_locked=True).scalar_subquery()
    statement = update(Recurrence).where(Recurrence.name == row).values(due_at=line.after(moment))
    if session.execute(statement).rowcount == 1:  # type: ignore[attr-defined]
        return True
    session.rollback()
    return False
