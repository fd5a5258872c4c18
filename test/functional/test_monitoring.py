"""Alerts: the real honeybadger client tells a collector of our own who, what and where, and no secrets."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from alerts import CANARY, fall, fallen, reporting_to
from collector import Collector
from honeybadger import honeybadger

from app import config
from app.helpers import context, monitoring


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture
def reporting(collector: Collector, tmp_path: Path) -> Iterator[config.Settings]:
    with reporting_to(collector, tmp_path) as settings:
        yield settings


def test_exception_arrives_with_who_what_and_where(reporting, collector):
    reset = context.current.set(context.Context("req-1", 7, "job-1", "tasks.remind", 3))
    try:
        assert monitoring.notify(fallen(), context={"guests": 2}, tags=("job",), fingerprint="f1")
    finally:
        context.current.reset(reset)
    [received] = collector.wait_for(1)
    assert received.path == "/v1/notices/"
    assert received.headers["x-api-key"] == "hb-key"
    assert received.context == {
        "request_id": "req-1",
        "account_id": 7,
        "job_id": "job-1",
        "job_type": "tasks.remind",
        "attempt": 3,
        "guests": 2,
    }
    assert received.error["class"] == "LookupError"
    assert received.error["message"] == "the floor is gone"
    assert received.error["tags"] == ["job"]
    assert received.error["fingerprint"] == "f1"
    assert received.error["backtrace"][0]["method"] == "fall"
    assert received.error["backtrace"][0]["file"].startswith("[PROJECT_ROOT]/test/")
    assert received.notice["server"]["environment_name"] == "test"
    assert received.notice["server"]["hostname"]
    assert received.notice["correlation_context"] == {"request_id": "req-1"}


def test_notice_without_an_exception_begins_with_its_caller(reporting, collector):
    assert monitoring.notify(error_class="FooHappened", message="somebody asked for foo")
    [received] = collector.wait_for(1)
    assert (received.error["class"], received.error["message"]) == ("FooHappened", "somebody asked for foo")
    assert received.error["backtrace"][0]["method"] == "test_notice_without_an_exception_begins_with_its_caller"


@pytest.mark.parametrize("wait", [True, False])
def test_token_makes_a_repeat_recognisable(reporting, collector, wait):
    token = str(uuid.uuid4())
    for _ in range(2):
        assert monitoring.notify(fallen(), token=token, wait=wait)
    assert {received.error["token"] for received in collector.wait_for(2)} == {token}


def test_secrets_stay_at_home(reporting, collector):
    try:
        try:
            fall(f"redis://:{CANARY}@localhost refused key-{CANARY}")
        except LookupError as cause:
            raise ValueError(f"password={CANARY}") from cause
    except ValueError as error:
        monitoring.notify(
            error,
            context={"job": {"Api_Key": CANARY, "args": [{"user": {"newPassword": CANARY}}]}, f"Bearer {CANARY}": 1},
            fingerprint=f"token={CANARY}",
            tags=(f"secret={CANARY}",),
            request={
                "url": f"http://localhost/reset?token={CANARY}",
                "params": {"token": CANARY},
                "session": {"csrf": CANARY, "session_id": CANARY},
                "cgi_data": {"HTTP_COOKIE": CANARY, "HTTP_AUTHORIZATION": CANARY, "HTTP_USER_AGENT": "curl"},
                "local_variables": {"password": CANARY, "url": f"postgresql://u:{CANARY}@db/x"},
            },
        )
    [received] = collector.wait_for(1)
    assert CANARY not in json.dumps(received.notice)
    assert len(received.error["causes"]) == 1
    assert received.notice["request"]["cgi_data"]["HTTP_USER_AGENT"] == "curl"


def test_notices_of_the_library_itself_are_scrubbed_too(reporting, collector):
    honeybadger.notify(error_class="Direct", error_message=f"password={CANARY}", context={"secret": CANARY})
    error = fallen(f"token={CANARY}")
    honeybadger.notify(exception=KeyboardInterrupt())
    honeybadger.notify(exception=error, exc_traceback=error.__traceback__)
    received = collector.wait_for(2)
    assert [one.error["class"] for one in received] == ["Direct", "LookupError"]
    assert CANARY not in json.dumps([one.notice for one in received])


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_error_that_cannot_be_shown_is_reported_all_the_same(reporting, collector):
    assert monitoring.notify(Unspeakable(), token="one")
    [received] = collector.wait_for(1)
    assert (received.error["class"], received.error["token"]) == ("Unspeakable", "one")


def test_notice_that_would_be_too_long_is_sent_without_its_largest_values(reporting, collector):
    long = {"args": ["ä" * 2_000] * 300, "trace": "x" * 7_000, "job_id": "job-1"}
    params = {f"field {number}": "y" * 5_000 for number in range(100)}
    assert monitoring.notify(fallen(), context=long, request={"params": params}, wait=True)
    [received] = collector.received
    assert int(received.headers["content-length"]) < 256_000
    assert received.context == long | {"args": "[TOO LONG]"}
    kept = [name for name, value in received.notice["request"]["params"].items() if value == params[name]]
    assert 8 <= len(kept) < 100


def test_runaway_recursion_costs_no_more_than_its_innermost_frames(reporting, collector):
    def dig() -> None:
        dig()

    with pytest.raises(RecursionError) as caught:
        dig()
    assert monitoring.notify(caught.value)
    [received] = collector.wait_for(1)
    assert len(received.error["backtrace"]) == monitoring.MAX_FRAMES
    assert received.error["backtrace"][0]["method"] == "dig"


def test_nothing_is_sent_without_a_key(reporting, collector):
    monitoring.configure(replace(reporting, honeybadger_api_key=None))
    assert monitoring.notify(fallen())
    assert monitoring.notify(fallen(), wait=True)
    honeybadger.notify(fallen())
    assert monitoring.flush()
    monitoring.configure(reporting)
    monitoring.notify(error_class="Last", wait=True)
    assert [received.error["class"] for received in collector.received] == ["Last"]


@pytest.mark.parametrize("name", ["development", "dev", "test", "production"])
def test_key_means_reports_whatever_the_environment_is_called(reporting, collector, name):
    monitoring.configure(replace(reporting, honeybadger_environment=name))
    assert monitoring.notify(fallen(), wait=True)
    assert collector.received[0].notice["server"]["environment_name"] == name


def test_insights_events_are_off(reporting, collector):
    honeybadger.event("something", {"secret": CANARY})
    assert honeybadger.events_worker.get_stats()["total_events"] == 0
    assert not honeybadger.events_worker._thread.is_alive()
