"""What a job may say of itself, and what it comes to: retries above all. What jobs are asked with is the enqueue's."""

import pytest

from app.errors import NotFound, Unavailable
from app.queue import registry
from app.queue.registry import JobType, job


@pytest.fixture(autouse=True)
def _apart(monkeypatch):
    monkeypatch.setattr(registry, "_types", {})
    monkeypatch.setattr(registry, "_former_names", {})


def kind(**options) -> JobType:
    @job(**options)
    def work() -> None: ...

    return registry.find("test_registry.work")


def waits(kind: JobType, number: int) -> list[list[float]]:
    return [[kind.retry_after(charged) for _ in range(200)] for charged in range(1, number + 1)]


def around(delays: list[float], seconds: float) -> bool:
    low, high = seconds * 0.8, seconds * 1.2
    return all(low <= delay <= high for delay in delays) and max(delays) - min(delays) > seconds * 0.2


def test_four_retries_unless_it_says_otherwise():
    assert kind().max_attempts == 5
    assert kind(retries=0).max_attempts == 1
    assert kind(retries=[1, 10, 60]).max_attempts == 4


def test_number_of_retries_waits_longer_each_time_but_no_longer_than_an_hour():
    for delays, seconds in zip(waits(kind(retries=9), 9), [5, 20, 80, 320, 1280, 3600, 3600, 3600, 3600], strict=True):
        assert around(delays, seconds)


def test_listed_retries_wait_as_listed_give_or_take_a_fifth():
    for delays, seconds in zip(waits(kind(retries=(1, 10, 0.5)), 3), [1, 10, 0.5], strict=True):
        assert around(delays, seconds)


def test_row_that_allows_more_retries_than_are_listed_by_now_waits_the_last_delay():
    assert around([kind(retries=[1, 60]).retry_after(5) for _ in range(200)], 60)


def test_refusals_and_what_the_job_names_are_not_tried_again():
    named = kind(never_retry=(LookupError, Unavailable))
    assert all(named.is_hopeless(error) for error in (KeyError(), Unavailable(), NotFound()))
    assert not named.is_hopeless(ValueError())
    plain = kind()
    assert plain.is_hopeless(NotFound())
    assert not any(plain.is_hopeless(error) for error in (KeyError(), Unavailable(), SystemExit()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"retries": -1}, "retries must be a number, or a list of seconds to wait before each retry, not -1"),
        ({"retries": True}, "retries must be a number"),
        ({"retries": 1.5}, "retries must be a number"),
        ({"retries": "3"}, "retries must be a number"),
        ({"retries": None}, "retries must be a number"),
        ({"retries": []}, "retries must be a number"),
        ({"retries": [1, -1]}, "retries must be a number"),
        ({"retries": [float("nan")]}, "retries must be a number"),
        ({"retries": [float("inf")]}, "retries must be a number"),
        ({"retries": [1, "2"]}, "retries must be a number"),
        ({"retries": [True]}, "retries must be a number"),
        ({"never_retry": KeyError}, "never_retry must be a tuple of exception classes"),
        ({"never_retry": (KeyError("x"),)}, "never_retry must be a tuple of exception classes"),
        ({"never_retry": (int,)}, "never_retry must be a tuple of exception classes"),
        ({"timeout_seconds": 0}, "timeout_seconds and at_once start at 1"),
        ({"queue": "fast"}, "queue must be one of"),
    ],
)
def test_bad_option_is_refused_where_the_job_is_written(options, message):
    with pytest.raises(ValueError, match=message):
        kind(**options)


def test_unknown_option_is_refused():
    with pytest.raises(TypeError, match="max_attempts"):
        kind(max_attempts=5)
