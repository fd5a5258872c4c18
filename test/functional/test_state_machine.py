"""The published state machine, enforced by the database itself: whatever the code above it does."""

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from app.db import session
from app.models import Job
from app.models.base import now
from app.models.job import DONE, HELD, MOVES, STATUSES
from app.queue import client, enqueue

# A way from `queued` to each status.
WAYS = {
    "queued": (),
    "running": ("running",),
    "succeeded": ("running", "succeeded"),
    "retrying": ("running", "retrying"),
    "failed": ("running", "failed"),
    "canceling": ("running", "canceling"),
    "canceled": ("canceled",),
}


def write(job_id: str, status: str, **values: object) -> None:
    """By plain SQL, past the ledger, with all that belongs to this status."""
    fitting = {
        "lease_expires_at": now() if status in HELD else None,
        "finished_at": now() if status in DONE else None,
        "attempt": Job.attempt + int(status == "running"),
    }
    statement = update(Job).where(Job.id == job_id).values(status=status, **fitting | values)
    session.execute(statement.execution_options(synchronize_session=False))
    session.commit()


@pytest.fixture
def job_in(alice):
    def make(status: str) -> str:
        later = {"in_": now() - now().replace(year=2020)} if status == "scheduled" else {}
        job_id = enqueue("tasks.remind", task_id=1, due_at="2026-01-01T00:00:00Z", **later).id
        session.commit()
        for step in WAYS.get(status, ()):
            write(job_id, step)
        return job_id

    return make


@pytest.mark.parametrize("before", STATUSES)
def test_only_the_published_moves_are_possible(job_in, before):
    for after in STATUSES:
        if after == before:
            continue
        job_id = job_in(before)
        if after in MOVES[before]:
            write(job_id, after)
        else:
            with pytest.raises(IntegrityError):
                write(job_id, after)
            session.rollback()


@pytest.mark.parametrize(
    ("status", "values"),
    [
        ("running", {"attempt": 0}),  # every claim has a number of its own
        ("running", {"attempt": 2}),
        ("running", {"lease_expires_at": None}),  # nobody would take it back
        ("canceled", {"finished_at": None}),  # nobody would forget it
        ("canceled", {"attempt": 1}),
    ],
)
def test_what_belongs_to_a_status_comes_with_it(job_in, status, values):
    job_id = job_in("queued")
    with pytest.raises(IntegrityError):
        write(job_id, status, **values)
    session.rollback()


@pytest.mark.parametrize("status", ["running", "succeeded", "failed"])
def test_no_job_is_born_in_the_middle_of_its_life(app, status):
    session.add(Job(id=client.new_id(), type="tasks.remind", status=status, args={}, run_at=now()))
    with pytest.raises(IntegrityError):
        session.commit()
    session.rollback()
