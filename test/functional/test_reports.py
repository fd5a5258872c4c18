"""Every final failure is covered by one alert, its own or one that counts, whatever happens on the way."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Self

import pytest
from alerts import collecting
from collector import Collector, Received
from sqlalchemy import func, select, update

from app.config import ROOT
from app.db import session
from app.errors import NotFound
from app.models import Job
from app.models.job import UNREPORTED
from app.queue import enqueue, job, ledger, reports, runner


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
    claim = ledger.claim(job_id, "worker")
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


OVER = reports.WINDOW + reports.GRACE  # the age at which a minute's failures are told together


def test_thousand_like_failures_make_a_few_alerts_that_add_up(collector, queries):
    ids = fail("burn", 1000)
    reports.tell_the_rest()
    assert singles(collector.received) == ids[: reports.HANDFUL]  # told by the worker at once; the others ripen
    assert len(collector.received) == reports.HANDFUL
    age(OVER)
    queries.clear()
    reports.tell_the_rest()
    assert len(queries) == 2  # one look, one note
    (storm,) = groups(collector.received)
    assert storm.error["message"] == "995 more jobs failed like this: test_reports.burn, KeyError"
    assert (storm.error["class"], storm.error["fingerprint"]) == ("KeyError", "test_reports.burn:KeyError")
    assert (storm.context["count"], storm.context["job_ids"]) == (995, ids[5:25])
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


@pytest.mark.parametrize("number", [2, 20])
def test_kill_between_hand_over_and_note_repeats_the_same_token(collector, settings, number):
    collector.status = 500
    fail("burn", number)
    age(OVER)
    collector.status = 201
    with Hesitant() as hesitant:
        relay = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from app.queue import reports; from app.boot import boot; from app import config;"
                "boot(config.load()); reports.tell_the_rest()",
            ],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "APP_ENV": "test",
                "DATABASE_URL": settings.database_url,
                "REDIS_URL": settings.redis_url,
                "DATA_DIR": str(settings.data_dir),
                "HONEYBADGER_API_KEY": "key",
                "HONEYBADGER_ENDPOINT": hesitant.url,
            },
        )
        hesitant.wait_for(1)
        relay.kill()
        relay.wait()
        hesitant.answer.set()
        assert unreported() == number
        fail("miss", 7)  # life goes on meanwhile
        reports.tell_the_rest()
    assert hesitant.received[0].error["token"] == collector.received[0].error["token"]
    assert sum(one.context.get("count", 1) for one in collector.received) == number
