"""Fan-out: a job that runs when a batch of others has ended, and shows how far they are."""

import pytest
from sqlalchemy import func, select

from app.db import session
from app.models import Job, JobEvent
from app.queue import BadArguments, enqueue, job, relay

calls: list = []


@pytest.fixture(autouse=True)
def fresh():
    calls.clear()


@job()
def part(number: int) -> int:
    calls.append(number)
    return number


@job(retries=0)
def broken_part() -> None:
    raise RuntimeError


@job(queue="high")
def whole(name: str) -> str:
    calls.append(name)
    return name


def ask(person, parts: list, **options) -> str:
    found = enqueue("test_batches.whole", name="the whole", after=parts, **options)
    for row in [found, *session.scalars(select(Job).where(Job.batch_id == found.id))]:
        row.account_id = person.id
    job_id = found.id
    session.commit()
    return job_id


def parts(number: int) -> list:
    return [("test_batches.part", {"number": index}) for index in range(number)]


def shown(person, job_id: str) -> dict:
    return person.get(f"/api/v1/jobs/{job_id}").json


def test_the_whole_runs_once_when_all_parts_have_ended(alice, work):
    found = ask(alice, parts(5))
    seen = shown(alice, found)
    assert (seen["status"], seen["next_attempt_at"], seen["progress"]["total"]) == ("scheduled", None, 5)
    work()
    work()
    assert (sorted(calls[:5]), calls[5:]) == ([0, 1, 2, 3, 4], ["the whole"])
    seen = shown(alice, found)
    assert (seen["status"], seen["result"], seen["progress"]["completed"]) == ("succeeded", "the whole", 5)


def test_parts_that_fail_are_counted_and_hold_up_nothing(alice, work):
    found = ask(alice, [*parts(2), ("test_batches.broken_part", {})])
    work()
    work()
    progress = shown(alice, found)["progress"]
    assert (progress["completed"], progress["failed"], progress["total"]) == (2, 1, 3)
    assert shown(alice, found)["status"] == "succeeded"


def test_part_that_is_tried_again_is_not_counted_twice(alice, work):
    found = ask(alice, [*parts(1), ("test_batches.broken_part", {})])
    work()
    broken = session.scalars(select(Job).where(Job.type == "test_batches.broken_part")).one()
    assert alice.post(f"/api/v1/jobs/{broken.id}/retry").status_code == 202
    work()
    work()
    progress = shown(alice, found)["progress"]
    assert (progress["completed"], progress["failed"], progress["total"]) == (1, 1, 2)


def test_who_cancels_the_whole_cancels_its_parts(alice, work):
    found = ask(alice, parts(3))
    assert alice.post(f"/api/v1/jobs/{found}/cancel").json["status"] == "canceled"
    work()
    assert calls == []
    assert set(session.scalars(select(Job.status).where(Job.batch_id == found))) == {"canceled"}
    assert alice.post(f"/api/v1/jobs/{found}/retry").status_code == 202


def test_a_batch_of_nothing_is_done_already(alice, work):
    ask(alice, [])
    work()
    assert calls == ["the whole"]


def test_all_or_nothing(app):
    with pytest.raises(BadArguments):
        enqueue("test_batches.whole", name="x", after=[*parts(3), ("test_batches.part", {"wrong": 1})])
    enqueue("test_batches.whole", name="x", after=parts(3))
    session.rollback()
    assert session.scalar(select(func.count()).select_from(Job)) == 0


def test_same_key_is_the_same_batch(app):
    first = enqueue("test_batches.whole", name="x", after=parts(3), unique="once")
    assert enqueue("test_batches.whole", name="x", after=parts(3), unique="once").id == first.id
    assert session.scalar(select(func.count()).select_from(Job)) == 4
    session.rollback()


def test_long_batch_is_told_in_percents(alice, work):
    found = ask(alice, parts(200))
    work()
    relay.look()
    told = session.scalar(select(func.count()).select_from(JobEvent).where(JobEvent.job_id == found))
    assert 100 <= told <= 105
    assert shown(alice, found)["progress"]["completed"] == 200


def test_batch_is_written_in_a_few_statements(alice, queries):
    counts = []
    for number in (10, 100):
        queries.clear()
        ask_for = enqueue("test_batches.whole", name="x", after=parts(number))
        session.commit()
        assert ask_for.batch_left == number
        counts.append(len(queries))
    assert max(counts) <= 5, queries[:9]
