"""`Prefer: wait=N` and the streams of events: who waits is woken, misses nothing, and holds nothing."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from people import Person
from sqlalchemy import func, select

from app.db import session
from app.models import Job
from app.queue import attempt, claims, ledger, signals
from app.services import job_events

WAIT = {"Prefer": "wait=20"}


def count_to(person, number: int = 2, **headers) -> str:
    return person.post("/api/v1/baz", json={"to": number}, headers=headers).json["id"]


def until(condition: Callable[[], bool]) -> None:
    """Until it holds; the test fails if that takes too long."""
    give_up = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up
        threading.Event().wait(0.005)


def somebody_waits() -> bool:
    return bool(signals._waiting)


@contextlib.contextmanager
def meanwhile(app, person, method: str, path: str, **options) -> Iterator[list]:
    """The request, sent by another thread; its answer is in the list when the block is left."""
    answers: list = []

    def send() -> None:
        other = Person(app.test_client(), person.email, person.id, person.token)
        answers.append(other.send(method, path, **options))
        session.remove()

    thread = threading.Thread(target=send)
    thread.start()
    until(somebody_waits)
    yield answers
    thread.join(20)
    assert not thread.is_alive()


def claim(job_id: str) -> claims.Claim:
    found = claims.claim(job_id, "test")
    session.commit()
    assert found is not None
    return found


def test_get_answers_when_the_status_changes(app, alice):
    job_id = count_to(alice)
    began = time.monotonic()
    with meanwhile(app, alice, "GET", f"/api/v1/jobs/{job_id}", headers=WAIT) as answers:
        claim(job_id)
    (answer,) = answers
    assert (answer.status_code, answer.json["status"]) == (200, "running")
    assert answer.headers["Preference-Applied"] == "wait=20"
    assert time.monotonic() - began < 10


def test_get_answers_when_the_time_is_over(alice):
    answer = alice.get(f"/api/v1/jobs/{count_to(alice)}", headers={"Prefer": "wait=1"})
    assert (answer.json["status"], answer.headers["Preference-Applied"]) == ("queued", "wait=1")
    assert answer.headers["Retry-After"] == "2"


def test_get_of_a_done_job_answers_at_once(alice, work):
    job_id = count_to(alice)
    work()
    began = time.monotonic()
    answer = alice.get(f"/api/v1/jobs/{job_id}", headers=WAIT)
    assert (answer.json["done"], answer.headers["Preference-Applied"]) == (True, "wait=20")
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("preference", "applied"),
    [
        ("respond-async, wait=0", "wait=0"),
        ('Wait="0"', "wait=0"),
        ("wait = 0; foo=bar", "wait=0"),
        ("respond-async", None),
        ("wait", None),
        ("wait=-1", None),
        ("wait=x", None),
        ("await=0", None),
        ("wait=0.5", None),
    ],
)
def test_unknown_preferences_are_ignored(alice, preference, applied):
    answer = alice.get(f"/api/v1/jobs/{count_to(alice)}", headers={"Prefer": preference})
    assert (answer.status_code, answer.headers.get("Preference-Applied")) == (200, applied)


def test_wait_is_capped(alice, work):
    job_id = count_to(alice)
    work()
    answer = alice.get(f"/api/v1/jobs/{job_id}", headers={"Prefer": "wait=86400"})
    assert answer.headers["Preference-Applied"] == "wait=30"


def test_post_answers_with_the_finished_job(app, alice, work):
    with meanwhile(app, alice, "POST", "/api/v1/baz", json={"to": 3}, headers=WAIT) as answers:
        work()
    (answer,) = answers
    assert (answer.status_code, answer.json["status"], answer.json["result"]) == (200, "succeeded", 3)
    assert answer.headers["Preference-Applied"] == "wait=20"
    assert "Retry-After" not in answer.headers
    shown = alice.get(answer.headers["Location"])
    assert (shown.json, shown.headers["ETag"]) == (answer.json, answer.headers["ETag"])


def test_post_is_202_if_the_job_takes_longer(alice):
    answer = alice.post("/api/v1/baz", json={"to": 3}, headers={"Prefer": "wait=1"})
    assert (answer.status_code, answer.json["status"]) == (202, "queued")
    assert answer.headers["Preference-Applied"] == "wait=1"
    assert answer.headers["Retry-After"] == "2"


def test_repeated_post_does_not_wait_and_makes_no_second_job(app, alice, work):
    headers = {**WAIT, "Idempotency-Key": "once"}
    with meanwhile(app, alice, "POST", "/api/v1/baz", json={"to": 3}, headers=headers) as answers:
        work()
    again = alice.post("/api/v1/baz", json={"to": 3}, headers=headers)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (202, "true")
    assert again.headers["Location"] == answers[0].headers["Location"]
    assert session.scalar(select(func.count()).select_from(Job)) == 1


def test_refused_post_does_not_wait(alice):
    assert alice.post("/api/v1/baz", json={"to": "x"}, headers=WAIT).status_code == 422


def test_waiting_holds_no_database_connection(app, alice):
    job_id = count_to(alice)
    session.remove()
    with meanwhile(app, alice, "GET", f"/api/v1/jobs/{job_id}", headers=WAIT) as answers:
        until(lambda: app.extensions["accepted.engine"].pool.checkedout() == 0)
        claim(job_id)
        session.remove()
    assert answers[0].json["status"] == "running"


def test_lost_wake_up_costs_only_time(app, alice, monkeypatch):
    monkeypatch.setattr("app.queue.doorbell.try_to_publish", lambda *_: None)
    job_id = count_to(alice)
    with meanwhile(app, alice, "GET", f"/api/v1/jobs/{job_id}", headers=WAIT) as answers:
        claim(job_id)
    assert answers[0].json["status"] == "running"


def test_wake_up_arrives_long_before_the_next_look(app, alice, monkeypatch):
    monkeypatch.setattr(signals, "look_for_all", lambda seen: seen)
    heard = threading.Event()
    monkeypatch.setattr(signals, "wake", lambda ids, wake=signals.wake: (wake(ids), heard.set()))
    first, job_id = count_to(alice), count_to(alice)
    with meanwhile(app, alice, "GET", f"/api/v1/jobs/{job_id}", headers=WAIT) as answers:
        signals.tell_after_commit(first)  # until the listener, which starts with the first waiter, hears
        while not heard.wait(0.05):
            signals.tell_after_commit(first)
            session.scalar(select(1))
            session.commit()
        claim(job_id)
    assert answers[0].json["status"] == "running"


def test_one_query_looks_for_all_who_wait(alice, queries, monkeypatch):
    look_for_all = signals.look_for_all
    monkeypatch.setattr(signals, "look_for_all", lambda seen: seen)  # of the thread that looks every second
    monkeypatch.setattr("app.queue.doorbell.try_to_publish", lambda *_: None)
    ids = [count_to(alice) for _ in range(5)]
    with contextlib.ExitStack() as stack:
        wake_ups = [stack.enter_context(signals.woken(job_id)) for job_id in (*ids, ids[-1])]

        def look(seen: dict[str, int | None]) -> tuple[dict[str, int | None], list[int]]:
            """What is seen now, and who was woken."""
            session.remove()
            queries.clear()
            seen = look_for_all(seen)
            assert [words.split()[0] for words in queries] == ["SELECT"]
            woken = [place for place, one in enumerate(wake_ups) if one.is_set()]
            for one in wake_ups:
                one.clear()
            return seen, woken

        seen, woken = look({})
        assert woken == [0, 1, 2, 3, 4, 5]  # whatever happened between their own look and the first one here
        seen, woken = look(seen)
        assert woken == []
        held = claim(ids[1])
        alice.post(f"/api/v1/jobs/{ids[4]}/cancel")
        seen, woken = look(seen)
        assert woken == [1, 4, 5]
        token = attempt.running.set(held)
        attempt.checkpoint(1, 2)
        attempt.running.reset(token)
        alice.delete(f"/api/v1/jobs/{ids[4]}")
        seen, woken = look(seen)
        assert woken == [1, 4, 5]


def test_nobody_waits_in_a_process_that_is_to_end(app, alice, monkeypatch):
    monkeypatch.setattr(signals, "closing", threading.Event())
    job_id = count_to(alice)
    told = stream(alice, job_id).response
    began = time.monotonic()
    with meanwhile(app, alice, "GET", f"/api/v1/jobs/{job_id}", headers=WAIT) as answers:
        until(lambda: any(b"id: 1" in part for part in told))
        signals.close()
    assert (answers[0].json["status"], list(told)) == ("queued", [])
    assert alice.get(f"/api/v1/jobs/{job_id}", headers=WAIT).json["status"] == "queued"
    assert time.monotonic() - began < 10


def test_rolled_back_move_wakes_nobody(alice, monkeypatch):
    told: list = []
    monkeypatch.setattr("app.queue.doorbell.try_to_publish", lambda *words: told.append(words))
    job_id = count_to(alice)
    told.clear()
    assert claims.claim(job_id, "test")
    session.rollback()
    session.scalar(select(1))
    session.commit()
    assert told == []


def test_waiters_beyond_the_limit_are_answered_at_once(alice, monkeypatch):
    monkeypatch.setattr(signals, "places", threading.BoundedSemaphore(1))
    job_id = count_to(alice)
    with signals.places:
        answer = alice.get(f"/api/v1/jobs/{job_id}", headers=WAIT)
        assert (answer.status_code, answer.headers.get("Preference-Applied")) == (200, None)
        assert "too many" in alice.get(f"/api/v1/jobs/{job_id}/events").text
    assert alice.get(f"/api/v1/jobs/{job_id}", headers={"Prefer": "wait=0"}).headers["Preference-Applied"] == "wait=0"


# Streams


def events_of(text: str) -> list[tuple[int, str, dict]]:
    """(id, event, data) of each event in the text."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if "id" in fields:
            found.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return found


def stream(person, job_id: str, last: int | str | None = None):
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    return person.get(f"/api/v1/jobs/{job_id}/events", headers=headers)


def test_stream_tells_everything_and_ends_with_done(alice, work):
    job_id = count_to(alice, 3)
    work()
    answer = stream(alice, job_id)
    assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
    told = events_of(answer.text)
    assert [number for number, _, _ in told] == [1, 2, 3, 4, 5, 6]
    assert [kind for _, kind, _ in told] == ["update"] * 5 + ["done"]
    assert [data["progress"]["completed"] for _, _, data in told] == [0, 0, 1, 2, 3, 3]
    assert told[-1][2] == alice.get(f"/api/v1/jobs/{job_id}").json


@pytest.mark.parametrize("last", range(7))
def test_stream_resumes_after_any_event_without_gap_or_repeat(alice, work, last):
    job_id = count_to(alice, 3)
    work()
    answer = stream(alice, job_id, last)
    if last == 6:
        assert (answer.status_code, answer.data) == (204, b"")
    else:
        assert [number for number, _, _ in events_of(answer.text)] == list(range(last + 1, 7))


def test_long_streams_come_in_batches_and_whole(alice, work, monkeypatch):
    monkeypatch.setattr(job_events, "BATCH", 2)
    job_id = count_to(alice, 6)
    work()
    told = events_of(stream(alice, job_id).text)
    assert [number for number, _, _ in told] == list(range(1, 10))
    assert [kind for _, kind, _ in told] == ["update"] * 8 + ["done"]


def test_stream_tells_as_it_happens(app, alice):
    job_id = count_to(alice)
    told: list[str] = []

    def follow() -> None:
        other = Person(app.test_client(), alice.email, alice.id, alice.token)
        told.extend(part.decode() for part in stream(other, job_id).response)
        session.remove()

    def numbers() -> list[int]:
        return [number for number, _, _ in events_of("".join(told))]

    thread = threading.Thread(target=follow)
    thread.start()
    until(somebody_waits)
    held = claim(job_id)
    token = attempt.running.set(held)
    attempt.checkpoint(1, 2, message="half way")
    attempt.running.reset(token)
    assert ledger.succeed(held, "done")
    session.commit()
    thread.join(20)
    assert numbers() == [1, 2, 3, 4]
    assert events_of("".join(told))[2][2]["progress"]["message"] == "half way"


def test_idle_stream_says_that_it_lives_and_holds_nothing(app, alice, monkeypatch):
    monkeypatch.setattr(job_events, "SILENCE_SECONDS", 0.05)
    answer = stream(alice, count_to(alice))
    session.remove()
    parts = (part.decode() for part in answer.response)
    assert next(part for part in parts if part.startswith("id: 1"))
    assert next(parts) == ": still here\n\n"
    assert app.extensions["accepted.engine"].pool.checkedout() == 0
    free = signals.places._value
    answer.close()
    answer.response.close()
    assert (signals.places._value, signals._waiting) == (free + 1, {})


def test_job_that_ends_between_two_reads_is_told_once(alice, monkeypatch):
    held = claim(count_to(alice))
    find = Job.find

    def end() -> None:
        assert ledger.succeed(held, None)
        session.commit()
        session.remove()

    def end_before_it_is_found(job_id: str) -> Job | None:
        monkeypatch.setattr(Job, "find", find)
        thread = threading.Thread(target=end)
        thread.start()
        thread.join()
        return find(job_id)

    monkeypatch.setattr(Job, "find", end_before_it_is_found)
    told = events_of("".join(job_events.stream(held.id, 0)))
    assert [(number, kind) for number, kind, _ in told] == [(1, "update"), (2, "update"), (3, "done")]


def test_stream_of_a_job_that_is_forgotten_ends(alice, work):
    job_id = count_to(alice)
    work()
    follow = job_events.stream(job_id, 0)
    next(follow)
    alice.delete(f"/api/v1/jobs/{job_id}")
    assert list(follow) == []


def test_stream_goes_on_after_a_retry(alice, work):
    job_id = count_to(alice)
    alice.post(f"/api/v1/jobs/{job_id}/cancel")
    assert [kind for _, kind, _ in events_of(stream(alice, job_id).text)] == ["update", "done"]
    assert stream(alice, job_id, 2).status_code == 204
    alice.post(f"/api/v1/jobs/{job_id}/retry")
    work()
    told = events_of(stream(alice, job_id, 1).text)
    assert [(number, kind) for number, kind, _ in told] == [
        (2, "update"), (3, "update"), (4, "update"), (5, "update"), (6, "update"), (7, "done"),
    ]  # fmt: skip


def test_stream_is_hidden_from_strangers(alice, bob):
    job_id = count_to(alice)
    assert stream(bob, job_id).status_code == 404


def test_strange_last_event_ids_count_as_none(alice, work):
    job_id = count_to(alice)
    work()
    for last in ("x", "-1", "1" * 30, "1.5", ""):
        assert len(events_of(stream(alice, job_id, last).text)) == 5
