"""A final failure is told once, with everything to act on; retries are not; a bug in a request is told too."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from alerts import collecting
from collector import Collector
from sqlalchemy import update

from app.db import session
from app.helpers import context, monitoring
from app.models import Job
from app.models.base import now
from app.queue import claims, enqueue, job, ledger, reports, rescue


@job(retries=1)
def explode(recipient: str, password: str) -> None:
    raise KeyError("the missing key")


@pytest.fixture
def collector(app, settings) -> Iterator[Collector]:
    with collecting(settings) as running:
        yield running


@pytest.fixture
def explosion(alice) -> str:
    token = context.current.set(context.Context("req-7", alice.id))
    job_id = enqueue("test_failures.explode", recipient="grace", password="canary").id
    session.commit()
    context.current.reset(token)
    return job_id


def make_due() -> None:
    session.execute(update(Job).where(Job.status == "retrying").values(run_at=now()))
    session.commit()


def reported(job_id: str) -> bool:
    session.rollback()
    return session.get_one(Job, job_id, populate_existing=True).reported_at is not None


def test_final_failure_is_told_once_and_retries_are_not(collector, explosion, alice, work):
    work()
    assert collector.received == []
    make_due()
    work()
    (told,) = collector.received
    assert (told.error["class"], told.context["args"]["recipient"]) == ("KeyError", "grace")
    assert told.context["job_id"] == explosion
    assert told.context["job_type"] == "test_failures.explode"
    assert (told.context["attempt"], told.context["request_id"], told.context["account_id"]) == (2, "req-7", alice.id)
    assert "canary" not in str(told.notice)
    assert reported(explosion)
    work()
    assert len(collector.received) == 1


def test_what_the_alert_service_did_not_take_is_told_later_by_the_relay(collector, explosion, work, monkeypatch):
    collector.status = 500
    work()
    make_due()
    work()
    assert not reported(explosion)
    collector.status = 201
    monkeypatch.setattr(reports, "GRACE", timedelta(0))
    reports.tell_the_rest()
    (told,) = collector.received
    assert reported(explosion)
    assert told.context["args"] == {"recipient": "grace", "password": "[FILTERED]"}
    # The same token as at the first try: whoever took both knows that they are one.
    assert {refused.error["token"] for refused in collector.refused} == {told.error["token"]}


def test_job_that_killed_its_workers_is_told(collector, explosion, alice, monkeypatch):
    for _ in range(ledger.MOST_CRASHES):
        assert claims.claim(explosion, "doomed")
        session.execute(update(Job).values(lease_expires_at=now() - timedelta(seconds=1)))
        session.commit()
        rescue.take_back_lost()
    monkeypatch.setattr(reports, "GRACE", timedelta(0))
    reports.tell_the_rest()
    (told,) = collector.received
    assert (told.context["job_id"], told.context["attempt"]) == (explosion, ledger.MOST_CRASHES)
    assert (told.error["class"], told.error["fingerprint"]) == ("job-crashed", "test_failures.explode:job-crashed")
    assert (told.context["request_id"], told.context["account_id"]) == ("req-7", alice.id)
    assert reported(explosion)


def test_silent_alert_service_breaks_no_job(collector, explosion, work, monkeypatch):
    collector.status = 0
    work()
    make_due()
    work()
    assert session.get_one(Job, explosion).status == "failed"


def test_bug_in_a_request_is_told_with_its_request_id(collector, alice):
    answer = alice.get("/api/v1/fail?secret=canary")
    assert answer.status_code == 500
    (told,) = collector.wait_for(1)
    assert told.error["class"] == "KeyError"
    assert (told.context["request_id"], told.context["account_id"]) == (answer.headers["X-Request-Id"], alice.id)
    assert "canary" not in str(told.notice)
    assert alice.token not in str(told.notice)


def test_refusals_are_not_told(collector, alice):
    for path in ("/nowhere", "/api/v1/tasks/99", "/api/v1/tasks?sort=x"):
        alice.get(path)
    monitoring.flush()
    assert collector.received == []


def test_custom_notice_is_told(collector, alice):
    alice.get("/api/v1/foo")
    (told,) = collector.wait_for(1)
    assert told.error["class"] == "Foo"
