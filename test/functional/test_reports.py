"""Every final failure is covered by one alert, its own or one that counts, whatever happens on the way."""

import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Self

import pytest
from alerts import collecting
from collector import Collector, Received
from copies import wait_for
from effort import IN_CI
from nursery import Grown
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer
from sqlalchemy import delete, func, insert, select, text, update

from app.db import session
from app.errors import NotFound
from app.models import Job
from app.models.base import now
from app.models.job import UNREPORTED
from app.queue import claims, enqueue, job, ledger, reports, runner
from app.queue.client import new_id


@job(retries=0)
def burn(number: int) -> None:
    raise KeyError(number)


@job()
def miss(number: int) -> None:
    raise NotFound(f"Row {number} is gone.")


@pytest.fixture
def collector(app, settings) -> Iterator[Collector]:
    with collecting(settings) as running:
        yield running


def fail(name: str, number: int = 1) -> list[str]:
    """So many jobs that fail for good; their ids."""
    ids = [enqueue(f"test_reports.{name}", number=each).id for each in range(number)]
    session.commit()
    for job_id in ids:
        run(job_id)
    return ids


def run(job_id: str) -> None:
    claim = claims.claim(job_id, "worker")
    session.commit()
    assert claim
    assert runner.run(claim).status == "failed"


def age(by: timedelta) -> None:
    """As if the failures that nobody was told of had happened earlier."""
    for job_id, failed_at in session.execute(select(Job.id, Job.finished_at).where(UNREPORTED)).all():
        session.execute(update(Job).where(Job.id == job_id).values(finished_at=failed_at - by))
    session.commit()


def unreported() -> int:
    session.rollback()
    return session.scalar(select(func.count()).select_from(Job).where(UNREPORTED)) or 0


def singles(received: list[Received]) -> list[str]:
    return [one.context["job_id"] for one in received if "job_id" in one.context]


def groups(received: list[Received]) -> list[Received]:
    return [one for one in received if "job_ids" in one.context]


LIKE = 1000 if IN_CI else 300  # failures
OVER = reports.WINDOW + reports.GRACE  # the age at which a minute's failures are told together


def test_hundreds_of_like_failures_make_a_few_alerts_that_add_up(collector, queries):
    ids = fail("burn", LIKE)
    reports.tell_the_rest()
    assert singles(collector.received) == ids[: reports.HANDFUL]  # told by the worker at once; the others ripen
    assert len(collector.received) == reports.HANDFUL
    age(OVER)
    queries.clear()
    reports.tell_the_rest()
    assert len(queries) == 2  # one look, one note
    (storm,) = groups(collector.received)
    assert storm.error["message"] == f"{LIKE - 5} more jobs failed like this: test_reports.burn, KeyError"
    assert (storm.error["class"], storm.error["fingerprint"]) == ("KeyError", "test_reports.burn:KeyError")
    assert (storm.context["count"], storm.context["job_ids"]) == (LIKE - 5, ids[5:25])
    assert (storm.context["first_job_id"], storm.context["last_job_id"]) == (ids[5], ids[-1])
    assert storm.context["first_failed_at"] < storm.context["last_failed_at"]
    assert unreported() == 0
    reports.tell_the_rest()
    assert len(collector.received) == reports.HANDFUL + 1


def test_different_kinds_are_told_apart_and_refusals_by_their_kind(collector):
    fail("burn", 12)
    fail("miss", 13)
    age(OVER)
    reports.tell_the_rest()
    assert len(singles(collector.received)) == 2 * reports.HANDFUL
    told = {storm.error["fingerprint"]: storm.context["count"] for storm in groups(collector.received)}
    assert told == {"test_reports.burn:KeyError": 7, "test_reports.miss:not-found": 8}
    of_workers = {one.error["fingerprint"] for one in collector.received}
    assert of_workers == set(told)  # for the collector they are one fault each


def test_what_a_worker_left_is_told_one_by_one_where_it_is_only_a_handful(collector):
    ids = fail("burn", 2 * reports.HANDFUL)
    reports.tell_the_rest()
    assert unreported() == reports.HANDFUL  # the worker may be about to tell them
    age(reports.GRACE)
    reports.tell_the_rest()
    assert singles(collector.received) == ids
    late = collector.received[-1]
    assert (late.error["class"], late.context["args"]) == ("KeyError", {"number": 9})
    assert "raise KeyError(number)" in late.context["trace"]
    assert unreported() == 0


def test_storm_that_goes_on_makes_one_alert_a_minute(collector):
    fail("burn", 5 + 10)
    age(reports.WINDOW)
    fail("burn", 10)
    age(OVER)
    reports.tell_the_rest()
    assert [storm.context["count"] for storm in groups(collector.received)] == [10]
    reports.tell_the_rest()
    assert [storm.context["count"] for storm in groups(collector.received)] == [10, 10]
    assert unreported() == 0


@pytest.mark.parametrize("status", [500, 0])
def test_alert_service_that_is_away_costs_a_worker_one_try_and_is_told_everything_later(collector, status):
    collector.status = status
    ids = fail("miss", 3) + fail("burn", 20)
    assert len(collector.refused) == 1
    age(OVER)
    reports.tell_the_rest()
    assert len(collector.refused) == 2  # one try a look
    collector.status = 201
    reports.tell_the_rest()
    (storm,) = groups(collector.received)
    assert singles(collector.received) == ids[:3]
    assert storm.context["count"] == 20
    assert unreported() == 0


def test_failure_that_expired_before_it_was_told_is_told_all_the_same(collector, redis, work):
    collector.status = 500
    (job_id,) = fail("burn")
    redis.flushall()
    session.execute(update(Job).values(expires_at=now()))
    enqueue("jobs.forget")
    session.commit()
    work()
    age(OVER)
    collector.status = 201
    reports.tell_the_rest()
    (told,) = collector.received
    assert (told.context["job_id"], told.error["class"]) == (job_id, "unknown")


def test_without_an_alert_service_nothing_waits_to_be_told(app):
    fail("burn", 2 * reports.HANDFUL)
    assert unreported() == 0


class Hesitant(Collector):
    """Takes notices, and never answers while it hesitates."""

    def __enter__(self) -> Self:
        self.answer = threading.Event()
        return super().__enter__()

    def take(self, request: Received) -> int:
        status = super().take(request)
        self.answer.wait()
        return status


@pytest.fixture
def hesitant() -> Iterator[Hesitant]:
    with Hesitant() as running:
        yield running
        running.answer.set()


@pytest.fixture
def relay(app, nursery, settings, collector) -> Iterator[Callable[[str], Grown]]:
    """Starts a relay in a process of its own, which reports to this URL."""
    started = []

    def start(url: str) -> Grown:
        alerts = {"HONEYBADGER_API_KEY": "key", "HONEYBADGER_ENDPOINT": url}
        started.append(nursery.start("relay", settings, settings.data_dir.parent / "relay.log", **alerts))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [2, 20])
def test_kill_between_hand_over_and_note_repeats_the_same_token(collector, hesitant, relay, number):
    collector.status = 500
    fail("burn", number)
    age(OVER)
    collector.status = 201
    process = relay(hesitant.url)
    hesitant.wait_for(1)
    process.kill()
    process.wait()
    assert unreported() == number
    fail("miss", 7)  # life goes on meanwhile
    reports.tell_the_rest()
    assert hesitant.received[0].error["token"] == collector.received[0].error["token"]
    assert sum(one.context.get("count", 1) for one in collector.received) == number


@pytest.fixture
def endless() -> Iterator[tuple[str, threading.Event]]:
    """A server that says for ever that it is not done yet, so that nobody loses patience with it: its URL, and when it
    is reached."""
    reached, over = threading.Event(), threading.Event()

    def serve() -> None:
        try:
            connection, _ = server.accept()
            reached.set()
            with connection:
                while not over.wait(0.2):
                    connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        except OSError:  # the client is gone, or never came
            pass

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", reached
        over.set()
        thread.join()


def test_alert_service_that_hangs_does_not_hold_up_the_relay(collector, endless, relay):
    collector.status = 500
    fail("burn", 1)
    age(OVER)
    url, reached = endless
    process = relay(url)
    assert reached.wait(30)
    job_id = enqueue("examples.count", to=1, in_=timedelta(hours=1)).id
    session.execute(update(Job).where(Job.id == job_id).values(run_at=now()))
    session.commit()
    wait_for(lambda: is_queued(job_id), lambda: "")
    process.terminate()
    assert process.wait(timeout=10) == 0


def is_queued(job_id: str) -> bool:
    status = session.scalar(select(Job.status).where(Job.id == job_id))
    session.rollback()  # on SQLite an open transaction would keep the relay from its work
    return status == "queued"


# Tried again before it was told


def test_failure_that_is_tried_again_before_it_was_told_is_told_nevertheless(collector, alice, work):
    collector.status = 500
    (job_id,) = fail("burn")
    session.execute(update(Job).values(account_id=alice.id, request_id="req-1"))
    session.commit()
    assert alice.post(f"/api/v1/jobs/{job_id}/retry").status_code == 202
    assert [shown["type"] for shown in alice.get("/api/v1/jobs").json["items"]] == ["test_reports.burn"]
    reports._away_until[:] = [0.0]
    collector.status = 201
    work()
    told = {one.context["attempt"]: one for one in collector.received}
    assert len(collector.received) == 2
    assert {attempt: one.context["job_id"] for attempt, one in told.items()} == {1: job_id, 2: job_id}
    assert {attempt: one.error["class"] for attempt, one in told.items()} == {1: "KeyError", 2: "KeyError"}
    assert {(one.context["account_id"], one.context["request_id"]) for one in told.values()} == {(alice.id, "req-1")}
    assert told[1].error["token"] == collector.refused[0].error["token"]
    assert unreported() == 0


def test_failure_that_was_told_is_not_told_again_when_it_is_tried_again(collector, alice, work):
    (job_id,) = fail("burn")
    session.execute(update(Job).values(account_id=alice.id))
    session.commit()
    alice.post(f"/api/v1/jobs/{job_id}/retry")
    work()
    assert [one.context["attempt"] for one in collector.received] == [1, 2]
    assert session.scalars(select(Job.type)).all() == ["test_reports.burn"]


def test_failure_that_rq_requeues_before_it_was_told_is_told_nevertheless(collector, redis, work):
    collector.status = 500
    job_id = enqueue("test_reports.burn", number=1).id
    session.commit()
    work()
    FailedJobRegistry("default", connection=redis, serializer=JSONSerializer).requeue(job_id)
    reports._away_until[:] = [0.0]
    collector.status = 201
    work()
    assert sorted(one.context["attempt"] for one in collector.received) == [1, 2]
    assert singles(collector.received) == [job_id] * 2


def test_note_that_comes_late_does_not_hide_the_next_failure(collector, alice):
    (job_id,) = fail("burn")
    failure = reports.Failure(job_id, 1, "test_reports.burn", "KeyError")
    collector.status = 500
    ledger.start_again(job_id)
    session.execute(update(Job).values(reported_at=func.now()))  # as the note of a worker that was slow
    session.commit()
    run(job_id)
    assert unreported() == 1
    reports._note([failure])
    assert unreported() == 1


def test_word_of_an_earlier_failure_is_repeated_until_it_is_taken(collector, redis, work):
    collector.status = 500
    (job_id,) = fail("burn")
    assert reports.start_again(session.get_one(Job, job_id))
    session.execute(delete(Job).where(Job.id == job_id))  # with its account, say
    session.commit()
    redis.flushall()
    work()
    kept = session.scalars(select(Job)).one()
    assert (kept.type, kept.status, kept.max_attempts) == ("jobs.report", "retrying", 21)
    session.execute(update(Job).values(run_at=kept.created_at))
    session.commit()
    collector.status = 201
    work()
    (told,) = collector.received
    assert (told.context["job_id"], told.context["attempt"]) == (job_id, 1)
    assert {one.error["token"] for one in [told, *collector.refused]} == {told.error["token"]}


def test_largest_batch_is_noted_in_one_go(collector, queries):
    fail("burn", reports.HANDFUL + 1)
    left = session.execute(select(Job.__table__).where(UNREPORTED)).mappings().one()
    born = {**left, "status": "queued", "attempt": 0, "finished_at": None, "expires_at": None, "batch_id": None}
    session.execute(insert(Job.__table__), [born | {"id": new_id()} for _ in range(reports.BATCH)])
    claim, fail_all = (update(Job).where(Job.status == status) for status in ("queued", "running"))
    session.execute(claim.values(status="running", attempt=1, lease_expires_at=now()))
    failed_at = left["finished_at"] - OVER
    session.execute(fail_all.values(status="failed", lease_expires_at=None, finished_at=failed_at))
    session.commit()
    queries.clear()
    reports.tell_the_rest()
    assert len(queries) == 2
    assert [storm.context["count"] for storm in groups(collector.received)] == [reports.BATCH]
    assert unreported() == 1


def test_relay_finds_what_is_to_be_told_by_its_index(app):
    look = str(reports.LOOK.compile(session.get_bind(), compile_kwargs={"literal_binds": True}))
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET LOCAL enable_seqscan = off"))  # an empty table is read faster without an index
    explain = "EXPLAIN" if session.get_bind().dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    plan = str(session.execute(text(f"{explain} {look}")).all())
    assert "ix_jobs_unreported" in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan


def test_worker_killed_before_it_noted_its_alert_has_it_repeated_alone_though_a_storm_follows(collector):
    first = fail("burn")
    session.execute(update(Job).values(reported_at=None))  # as a kill just after the hand-over leaves it
    session.commit()
    fail("burn", 20)
    age(OVER)
    reports.tell_the_rest()
    alerts = [one for one in collector.received if one.context.get("job_id") == first[0]]
    assert len(alerts) == 2
    assert len({one.error["token"] for one in alerts}) == 1
    assert first[0] not in groups(collector.received)[0].context["job_ids"]
    assert unreported() == 0
