"""Alerts in foul weather, and at the end of a process: nothing breaks, hangs, or is lost in silence."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from alerts import environment, fallen, reporting_to
from collector import Collector

from app import config
from app.helpers import monitoring, sender

ROOT = Path(__file__).parents[2]


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture
def reporting(collector: Collector, tmp_path: Path) -> Iterator[config.Settings]:
    with reporting_to(collector, tmp_path) as settings:
        yield settings


@pytest.mark.parametrize("status", [500, 503, 429, 403, 413, 302, 0])
def test_caller_that_waits_learns_that_it_was_not_taken(reporting, collector, status):
    collector.status, collector.location = status, "/elsewhere"
    assert monitoring.notify(fallen(), token="again", wait=True) is False
    collector.status = 201
    assert monitoring.notify(fallen(), token="again", wait=True) is True
    assert [received.error["token"] for received in collector.received] == ["again"]


def test_refused_connection_raises_nothing(reporting, collector):
    monitoring.configure(replace(reporting, honeybadger_endpoint="http://127.0.0.1:1"))
    assert monitoring.notify(fallen(), wait=True) is False
    assert monitoring.notify(fallen()) is True
    assert monitoring.flush(5)


def test_collector_that_never_answers_costs_a_known_time(reporting, collector, monkeypatch):
    monkeypatch.setattr(sender, "PATIENCE", 0.2)
    collector.silent = True
    start = time.monotonic()
    assert sender.send(monitoring._loss_notice(1), 0.2) == (False, True)
    assert time.monotonic() - start < 2


def test_request_never_waits_for_the_collector(reporting, collector):
    collector.silent = True
    start = time.monotonic()
    for _ in range(20):
        assert monitoring.notify(fallen())
    assert time.monotonic() - start < 2
    assert monitoring.flush(0.1) is False
    assert time.monotonic() - start < 4
    collector.silent = False
    collector.wait_for(20)


def test_queued_notice_is_tried_again(reporting, collector, monkeypatch):
    monkeypatch.setattr(sender, "PAUSES", (0.01, 0.01))
    collector.answers = [500, 503]
    assert monitoring.notify(fallen(), token="third time lucky")
    [received] = collector.wait_for(1)
    assert received.error["token"] == "third time lucky"
    assert len(collector.refused) == 2


def test_what_was_lost_is_owned_up_to_in_one_notice(reporting, collector, monkeypatch, caplog):
    monkeypatch.setattr(sender, "QUEUE_SIZE", 3)
    collector.silent = True
    taken = [monitoring.notify(error_class="Flood", message=str(number)) for number in range(10)]
    lost = taken.count(False)
    assert 6 <= lost <= 7  # three wait, and one may be on its way
    collector.silent = False
    received = collector.wait_for(10 - lost + 1)
    assert monitoring.flush()
    [owned] = [one for one in received if one.error["class"] == "NoticesLost"]
    assert owned.error["message"] == f"{lost} earlier notices could not be delivered"
    assert len([record for record in caplog.records if "was lost" in record.message]) == 1


PROGRAM = """
import os, sys
from app import config
from app.helpers import monitoring
monitoring.configure(config.load())
{body}
"""


def run(collector: Collector, folder: Path, body: str, **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM.format(body=body)],
        env={**environment(collector, folder), "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], **extra},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_queue_is_emptied_at_a_normal_exit(collector, tmp_path):
    done = run(collector, tmp_path, "for n in range(50): monitoring.notify(error_class='Parting', message=str(n))")
    assert done.returncode == 0, done.stderr
    assert sorted(int(one.error["message"]) for one in collector.received) == list(range(50))


def test_exit_waits_for_a_silent_collector_only_so_long(collector, tmp_path):
    collector.silent = True
    start = time.monotonic()
    done = run(collector, tmp_path, "monitoring.flush.__defaults__ = (0.5,); monitoring.notify(error_class='Parting')")
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    "last", ["notify(error_class='Last', wait=True)", "notify(error_class='Last'); monitoring.flush()"]
)
def test_nothing_is_lost_before_an_abrupt_end(collector, tmp_path, last):
    done = run(collector, tmp_path, f"monitoring.{last}; os._exit(7)")
    assert done.returncode == 7, done.stderr
    assert [received.error["class"] for received in collector.received] == ["Last"]


def test_what_ends_a_process_is_reported(collector, tmp_path):
    done = run(collector, tmp_path, "raise LookupError('the end')")
    assert done.returncode == 1
    assert "the end" in done.stderr
    assert [received.error["message"] for received in collector.received] == ["the end"]


@pytest.mark.parametrize("kind", ["KeyboardInterrupt", "config.ConfigError", "SystemExit"])
def test_end_that_a_person_asked_for_is_not_reported(collector, tmp_path, kind):
    assert run(collector, tmp_path, f"raise {kind}('SECRET_KEY: bad')").returncode != 0
    assert collector.received == []


def test_forked_child_reports_for_itself_and_nothing_twice(collector, tmp_path):
    body = """
for n in range(5): monitoring.notify(error_class='Parent', message=str(n))
child = os.fork()
if not child:
    monitoring.notify(error_class='Child')
    monitoring.flush()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    done = run(collector, tmp_path, body)
    assert done.returncode == 0, done.stderr
    assert sorted(received.error["class"] for received in collector.received) == ["Child"] + ["Parent"] * 5


def test_sending_imports_nothing(collector, tmp_path):
    """A child that is forked while the sender's thread imports something would wait for that module's lock for ever."""
    body = """
import psutil  # by whoever makes a notice, not by who sends it
known = set(sys.modules)
assert monitoring.notify(error_class='First', wait=True)
assert set(sys.modules) == known, set(sys.modules) - known
"""
    done = run(collector, tmp_path, body)
    assert done.returncode == 0, done.stderr


def test_sigterm_is_left_to_the_process(collector, tmp_path):
    body = "import signal; assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL"
    assert run(collector, tmp_path, body).returncode == 0


def test_variables_of_the_library_change_nothing(collector, tmp_path):
    surprises = {
        "HONEYBADGER_FORCE_SYNC": "0",
        "HONEYBADGER_REPORT_LOCAL_VARIABLES": "1",
        "HONEYBADGER_EXCLUDED_EXCEPTIONS": "LookupError",
        "HONEYBADGER_DEVELOPMENT_ENVIRONMENTS": "test",
        "HONEYBADGER_INSIGHTS_ENABLED": "1",
        "HONEYBADGER_PROJECT_ROOT": "/",
        "HONEYBADGER_EVENTS_TIMEOUT": "60",
    }
    body = "monitoring.notify(LookupError('the end'))"
    assert run(collector, tmp_path, body, **surprises).returncode == 0
    [received] = collector.received
    assert received.notice["request"]["local_variables"] is None
    assert received.notice["server"]["project_root"] == str(ROOT)
