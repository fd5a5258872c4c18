"""A job about a guest list that is killed, cut off or canceled in the middle: what is done stays, and once."""

from collections.abc import Callable

import psutil
import pytest
from copies import wait_for
from effort import IN_CI
from events import new_event
from guest_lists import ask, bring_in, guests_of, job, people, rows_of, upload
from sqlalchemy import select, update

from app.db import session
from app.models import Event, Guest, Job
from app.models.base import now
from app.queue import ledger
from app.workers import guest_lists as jobs

MANY = 20_000 if IN_CI else 5_000
BAD = "email,name\n" + "".join(f"{name}@example.com,{name}\n{name}\n{name}@EXAMPLE.com\n" for name in "abcdefgh")


@pytest.fixture
def event_id(alice) -> int:
    return new_event(alice)["id"]


@pytest.fixture
def meanwhile(monkeypatch) -> Callable[[int, Callable[[], None]], None]:
    """Does something just before a certain batch is added. Batches are of three rows."""

    def at(number: int, act: Callable[[], None]) -> None:
        def add(*args) -> bool:
            calls.append(number)
            if len(calls) == number:
                act()
            return real(*args)

        calls: list[int] = []
        monkeypatch.setattr(jobs, "_add", add)

    real = jobs._add
    monkeypatch.setattr(jobs, "READ_AT_ONCE", 3)
    return at


def cut_off() -> None:
    raise ConnectionError


@pytest.mark.parametrize("number", [1, 2, 5, 8])
def test_import_that_was_cut_off_comes_to_the_same(alice, work, event_id, meanwhile, number):
    session.add(Guest(event_id=event_id, email="c@example.com", email_key="c@example.com", name="Carl"))
    session.commit()
    meanwhile(number, cut_off)
    first = bring_in(alice, work, event_id, BAD)
    assert first["status"] == "retrying"
    assert len(guests_of(event_id)) == 1 + max(0, number - 1 - (number > 3))
    session.execute(update(Job).where(Job.id == first["id"]).values(run_at=now()))
    session.commit()
    work()
    end = job(alice, first["id"])
    report = end["result"].pop("report")
    assert end["result"] == {"added": 7, "unchanged": 1, "refused": 16}
    assert [name for _, name, _ in guests_of(event_id)] == ["Carl", *"abdefgh"]
    assert [row[0] for row in rows_of(alice, report)[1:]] == [str(line) for line in range(3, 26) if line % 3 != 2]


def test_event_that_is_deleted_in_the_middle_ends_it(alice, work, event_id, meanwhile):
    def delete() -> None:
        session.get_one(Event, event_id).delete()

    meanwhile(3, delete)
    end = bring_in(alice, work, event_id, BAD)
    assert end["result"]["added"] == 0
    assert end["result"]["report"] is None
    assert session.query(Guest).count() == 0


def test_canceled_import_stops_and_keeps_what_it_has(alice, work, event_id, meanwhile):
    def cancel() -> None:
        ledger.request_cancel(session.scalars(select(Job.id).where(Job.type == "guest_lists.read")).one())

    meanwhile(3, cancel)
    end = bring_in(alice, work, event_id, BAD)
    assert (end["status"], end["progress"]["completed"], end["progress"]["failed"]) == ("canceled", 3, 6)
    assert len(guests_of(event_id)) == 3


def test_cut_off_export_leaves_no_blob(alice, work, event_id, meanwhile, monkeypatch, settings):
    bring_in(alice, work, event_id, people(5))
    monkeypatch.setattr(jobs, "_cells_of", lambda _row: cut_off())
    before = [path for path in (settings.data_dir / "files").rglob("*") if path.is_file()]
    job_id = ask(alice, event_id, "export")
    work()
    assert job(alice, job_id)["status"] == "retrying"
    assert [path for path in (settings.data_dir / "files").rglob("*") if path.is_file()] == before


def test_killed_import_goes_on_and_comes_to_the_same(alice, event_id, nursery, settings):
    rows = 6000
    job_id = ask(alice, event_id, "import", file=upload(alice, people(rows) + "broken\n"))
    log = settings.data_dir / "worker.log"
    process = nursery.start("worker", settings, log)
    parent = psutil.Process(process.pid)
    try:
        wait_for(lambda: job(alice, job_id)["progress"]["completed"] > 0, log.read_text)
        for child in parent.children():
            child.kill()
        wait_for(lambda: job(alice, job_id)["done"], log.read_text)
    finally:
        for each in [*parent.children(), parent]:
            each.kill()
        process.wait()
    end = job(alice, job_id)
    assert (end["attempt"], end["attempts"][0]["error"]) == (2, "The worker's process died")
    assert end["result"] | {"report": None} == {"added": rows, "unchanged": 0, "refused": 1, "report": None}
    assert len(guests_of(event_id)) == rows


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # `bench/guest_lists.py` does more, on both
def test_many_guests(alice, work, event_id):
    end = bring_in(alice, work, event_id, people(MANY))
    assert end["result"] == {"added": MANY, "unchanged": 0, "refused": 0, "report": None}
    assert end["progress"]["completed"] == MANY
