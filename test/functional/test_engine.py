"""The engine's promises, one at a time: real Redis, both databases, real workers. Under fire they are `bench/`'s."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from rq import Queue
from rq.job import Job as RqJob
from rq.registry import FailedJobRegistry, FinishedJobRegistry, ScheduledJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer
from sqlalchemy import delete, select, text, update

from app.db import session
from app.errors import NotFound
from app.models import Job, Recurrence, User
from app.models.base import now
from app.queue import (
    attempt,
    checkpoint,
    claims,
    doorbell,
    enqueue,
    hasten,
    job,
    ledger,
    postpone,
    recurrences,
    registry,
    relay,
    rescue,
    runner,
)

calls: list = []


@job(retries=2)
def record(value: str) -> str:
    calls.append(value)
    return value


@job(retries=1)
def stumble(times: int) -> str:
    calls.append("stumble")
    if len(calls) <= times:
        raise KeyError("secret value")
    return "stood up"


@job(retries=[60, 0], never_retry=(ZeroDivisionError,))
def choose(error: str) -> None:
    raise {"ValueError": ValueError, "ZeroDivisionError": ZeroDivisionError}[error]


@job()
def hopeless() -> None:
    raise NotFound("The row is gone.")


@job()
def write_then_fail(email: str) -> None:
    User.create(email=email, email_key=email, password_hash="x")
    raise RuntimeError


@job()
def write_in_steps(total: int) -> int:
    for number in range(total):
        User.create(email=f"{number}@x", email_key=f"{number}@x", password_hash="x")
        checkpoint(number + 1, total)
        if number == 1:
            calls.append("half way")
            meddle()
    return total


@job(queue="high")
def urgent() -> None:
    calls.append("urgent")


@job()
def go_on(value: str) -> str:
    """Writes once an attempt, and takes three."""
    calls.append(value)
    User.create(email=f"{len(calls)}@x", email_key=f"{len(calls)}@x", password_hash="x")
    if len(calls) < 3:
        meddle()
        postpone(now() + timedelta(hours=1))
    return "arrived"


@job(queue="low")
def patient() -> None:
    calls.append("patient")


@job()
def unserializable() -> object:
    return object()


def meddle() -> None:
    """What a test wants to happen in the middle of a job."""


@pytest.fixture(autouse=True)
def _fresh(app):
    calls.clear()


def ask(name: str, **options) -> str:
    """Enqueues and commits; the job's id."""
    job_id = enqueue(f"test_engine.{name}", **options).id
    session.commit()
    return job_id


def row(job_id: str) -> Job:
    session.rollback()
    session.expire_all()
    return session.get_one(Job, job_id)


def emails() -> list[str]:
    session.rollback()
    return sorted(session.scalars(select(User.email)))


def lapse(job_id: str) -> None:
    """The worker that holds the job was silent for too long."""
    session.execute(update(Job).where(Job.id == job_id).values(lease_expires_at=now() - timedelta(seconds=1)))
    session.commit()


def make_due(job_id: str) -> None:
    session.execute(update(Job).where(Job.id == job_id).values(run_at=now()))
    session.commit()


# Enqueueing


def test_job_exists_if_and_only_if_its_transaction_committed(redis, work):
    enqueue("test_engine.record", value="never")
    session.rollback()
    assert redis.llen("rq:queue:default") == 0
    kept = ask("record", value="kept")
    assert redis.lrange("rq:queue:default", 0, -1) == [kept.encode()]
    work()
    assert calls == ["kept"]


def test_rolled_back_savepoint_leaves_no_id_in_redis(redis):
    with session.begin_nested() as savepoint:
        enqueue("test_engine.record", value="never")
        savepoint.rollback()
    kept = ask("record", value="kept")
    assert redis.lrange("rq:queue:default", 0, -1) == [kept.encode()]


@pytest.mark.parametrize(
    "args",
    [{}, {"value": "x", "more": 1}, {"value": object()}, {"value": float("nan")}, {"value": (1, 2)}, {"value": {1: 2}}],
)
def test_arguments_are_checked_at_the_enqueue(args):
    with pytest.raises(registry.BadArguments):
        enqueue("test_engine.record", **args)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"at": datetime(2099, 1, 1)}, "`at` needs a time zone"),
        ({"at": datetime(2099, 1, 1, tzinfo=UTC), "in_": timedelta(1)}, "exclude each other"),
        ({"in_": timedelta(seconds=-1)}, "`in_` is negative"),
        ({"unique": ""}, "`unique` must have 1 to 255 characters"),
        ({"unique": "x" * 256}, "`unique` must have 1 to 255 characters"),
    ],
)
def test_options_are_checked_at_the_enqueue(options, message):
    with pytest.raises(registry.BadArguments, match=message):
        enqueue("test_engine.record", value="x", **options)
    session.rollback()
    assert session.scalars(select(Job)).all() == []


def test_longest_unique_key_and_a_moment_in_the_past_are_good():
    job_id = ask("record", value="x", unique="x" * 255, at=datetime(2020, 1, 1, tzinfo=UTC))
    assert (row(job_id).status, row(job_id).unique_key) == ("queued", "x" * 255)


def test_unknown_name_is_refused_at_the_enqueue():
    with pytest.raises(registry.UnknownJob):
        enqueue("test_engine.nothing")


def test_unique_key_gives_the_pending_job_and_is_free_again_after_it(work):
    first = ask("record", value="a", unique="key")
    assert ask("record", value="b", unique="key") == first
    work()
    assert ask("record", value="c", unique="key") != first
    work()
    assert calls == ["a", "c"]


def test_unique_key_is_decided_by_the_database_when_several_ask_at_once():
    ids, barrier = [], threading.Barrier(4)

    def ask_too() -> None:
        barrier.wait()
        ids.append(ask("record", value="x", unique="race"))
        session.remove()

    threads = [threading.Thread(target=ask_too) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 1


# Running


def test_success_is_recorded_and_shown_by_rq(work, redis):
    job_id = ask("record", value="x")
    work()
    found = row(job_id)
    assert (found.status, found.result, found.attempt, found.lease_expires_at) == ("succeeded", "x", 1, None)
    assert found.started_at <= found.finished_at < found.expires_at
    assert job_id in FinishedJobRegistry("default", connection=redis).get_job_ids()
    assert RqJob.fetch(job_id, connection=redis, serializer=JSONSerializer).return_value() == "x"


def test_lanes_are_worked_high_before_default_before_low(work):
    for name in ("patient", "urgent", "patient", "urgent"):
        ask(name)
    ask("record", value="default")
    work()
    assert calls == ["urgent", "urgent", "default", "patient", "patient"]


def test_raised_job_is_tried_again_later_and_its_attempts_are_recorded(work, redis):
    job_id = ask("stumble", times=1)
    work()
    found = row(job_id)
    assert (found.status, found.attempt, found.charged) == ("retrying", 1, 1)
    assert timedelta(seconds=4) < found.run_at - found.started_at < timedelta(seconds=7)
    assert job_id in ScheduledJobRegistry("default", connection=redis).get_job_ids()
    make_due(job_id)
    work()
    found = row(job_id)
    assert (found.status, found.result, found.attempt) == ("succeeded", "stood up", 2)
    assert [(a["number"], a["error"]) for a in found.attempts] == [(1, "KeyError"), (2, None)]


def test_job_fails_for_good_when_its_attempts_are_used_up(work, redis):
    job_id = ask("stumble", times=9)
    work()
    make_due(job_id)
    work()
    found = row(job_id)
    assert (found.status, found.attempt) == ("failed", 2)
    assert found.error["type"].endswith("/problems/job-failed")
    assert "secret value" not in str(found.to_dict())
    assert "secret value" in found.trace
    assert job_id in FailedJobRegistry("default", connection=redis).get_job_ids()


def test_error_that_trying_again_can_not_help_fails_at_once(work):
    job_id = ask("hopeless")
    work()
    found = row(job_id)
    assert (found.status, found.attempt, found.error["detail"]) == ("failed", 1, "The row is gone.")


def test_job_chooses_its_delays_and_what_is_not_tried_again(work):
    patient, final = ask("choose", error="ValueError"), ask("choose", error="ZeroDivisionError")
    work()
    assert (row(final).status, row(final).attempt, row(final).max_attempts) == ("failed", 1, 3)
    found = row(patient)
    assert found.status == "retrying"
    assert timedelta(seconds=48) < found.run_at - found.started_at < timedelta(seconds=73)
    make_due(patient)
    work()
    work()  # the second retry waits for nothing
    assert (row(patient).status, row(patient).attempt, row(patient).charged) == ("failed", 3, 3)


def test_result_that_is_no_json_is_a_failure(work):
    job_id = ask("unserializable")
    work()
    assert row(job_id).status == "retrying"


def test_job_that_ends_its_process_is_a_failure(work):
    @job()
    def leave() -> None:
        raise SystemExit(0)

    job_id = ask("leave")
    work()
    assert (row(job_id).status, row(job_id).charged) == ("retrying", 1)


def test_failed_job_leaves_none_of_its_writes(work):
    ask("write_then_fail", email="half@x")
    work()
    assert emails() == []


# Fencing, cancelling, checkpoints


def test_claim_is_given_once():
    job_id = ask("record", value="x")
    first, second = claims.claim(job_id, "one"), claims.claim(job_id, "two")
    assert first is not None
    assert second is None


def take_away(job_id: str) -> None:
    """The lease runs out and another worker claims the job, all behind this worker's back."""

    def steal() -> None:
        past = now() - timedelta(seconds=1)
        session.execute(update(Job).where(Job.id == job_id).values(lease_expires_at=past))
        session.commit()
        rescue.take_back_lost()
        assert claims.claim(job_id, "thief")
        session.commit()
        session.remove()

    thread = threading.Thread(target=steal)
    thread.start()
    thread.join()


def test_stale_worker_commits_nothing(monkeypatch):
    job_id = ask("write_in_steps", total=4)
    claim = claims.claim(job_id, "slow")
    session.commit()
    monkeypatch.setitem(globals(), "meddle", lambda: take_away(job_id))
    assert runner.run(claim).status == "lost"
    assert emails() == ["0@x", "1@x"]  # what it had saved while the job was its own
    found = row(job_id)
    assert (found.status, found.attempt, found.worker) == ("running", 2, "thief")


def test_running_job_stops_at_its_next_checkpoint_when_canceled(monkeypatch, work):
    job_id = ask("write_in_steps", total=4)

    def cancel() -> None:
        assert ledger.request_cancel(job_id) == "canceling"
        session.commit()

    monkeypatch.setitem(globals(), "meddle", cancel)
    work()
    found = row(job_id)
    assert (found.status, found.progress_completed, found.progress_total) == ("canceled", 3, 4)
    assert found.error["type"].endswith("/problems/job-canceled")
    assert emails() == ["0@x", "1@x", "2@x"]


def test_waiting_job_is_canceled_at_once_and_never_runs(work):
    job_id = ask("record", value="x")
    assert ledger.request_cancel(job_id) == "canceled"
    session.commit()
    work()
    assert (row(job_id).status, calls) == ("canceled", [])


def test_checkpoint_outside_a_job_only_commits():
    User.create(email="a@x", email_key="a@x", password_hash="x")
    checkpoint(1, 2)
    assert emails() == ["a@x"]


def test_worker_that_has_to_stop_gives_its_job_back_uncharged(monkeypatch):
    job_id = ask("write_in_steps", total=4)
    claim = claims.claim(job_id, "leaving")
    session.commit()

    def stop() -> None:
        raise attempt.Interrupted

    monkeypatch.setitem(globals(), "meddle", stop)
    assert runner.run(claim).status == "queued"
    found = row(job_id)
    assert (found.status, found.charged, found.crashes) == ("queued", 0, 0)


def test_postponed_job_goes_on_at_its_moment_and_keeps_what_it_wrote(redis, work):
    job_id = ask("go_on", value="x")
    for turn in (1, 2):
        work()
        found = row(job_id)
        assert (found.status, found.attempt, found.charged, found.next_attempt_at is not None) == (
            "scheduled", turn, 0, True
        )  # fmt: skip
        assert (len(calls), len(emails())) == (turn, turn)
        assert [(past["number"], past["error"]) for past in found.attempts] == [(turn, "Postponed")]
        assert ScheduledJobRegistry("default", connection=redis).get_job_ids() == [job_id]
        assert not doorbell.waiting_ids("default")
        assert hasten(job_id)
        session.commit()
        assert not hasten(job_id)
        session.rollback()
    work()
    assert (row(job_id).result, len(emails())) == ("arrived", 3)
    assert [past["number"] for past in row(job_id).attempts] == [2, 3]


def test_postponed_job_that_somebody_cancels_keeps_what_it_wrote(monkeypatch, work):
    job_id = ask("go_on", value="x")
    monkeypatch.setitem(globals(), "meddle", lambda: ledger.request_cancel(job_id))
    work()
    assert (row(job_id).status, len(emails())) == ("canceled", 1)


def test_worker_that_lost_its_lease_can_not_postpone(monkeypatch):
    job_id = ask("go_on", value="x")
    claim = claims.claim(job_id, "paused")
    session.commit()

    def fall_silent() -> None:
        session.rollback()
        lapse(job_id)
        rescue.take_back_lost()
        User.create(email="stale@x", email_key="stale@x", password_hash="x")

    monkeypatch.setitem(globals(), "meddle", fall_silent)
    assert runner.run(claim).status == "lost"
    assert (row(job_id).status, emails()) == ("queued", [])


def test_job_that_gets_further_is_never_parked():
    job_id = ask("record", value="x")
    for turn in range(5):
        claim = claims.claim(job_id, "doomed")
        assert ledger.progress(claim, None, (turn + 1, 0, 9)) == "running"
        lapse(job_id)
        rescue.take_back_lost()
        assert (row(job_id).status, row(job_id).crashes) == ("queued", 1)


# The relay


def test_relay_rings_for_what_a_lost_push_or_a_lost_pop_missed(redis, work):
    job_id = ask("record", value="x")
    redis.flushall()
    relay.look()
    assert redis.lrange("rq:queue:default", 0, -1) == [job_id.encode()]
    redis.lpop("rq:queue:default")
    relay.look()
    relay.look()
    assert redis.lrange("rq:queue:default", 0, -1) == [job_id.encode()]
    work()
    assert calls == ["x"]


def test_job_of_a_type_that_is_gone_is_failed_by_a_worker_and_stops_no_relay(redis, work):
    job_id, other = ask("record", value="x"), ask("record", value="y")
    session.execute(update(Job).where(Job.id == job_id).values(type="gone.away"))
    session.commit()
    redis.flushall()
    work()
    assert (row(job_id).status, row(job_id).history[-1]["error"]) == ("failed", "UnknownJob")
    assert (row(other).status, calls) == ("succeeded", ["y"])


def test_job_that_is_rung_twice_runs_once(redis, work):
    job_id = ask("record", value="x")
    redis.rpush("rq:queue:default", job_id)
    work()
    assert calls == ["x"]


def test_rq_does_not_show_a_job_as_started_for_ever(redis, work):
    job_id = ask("record", value="x")
    work()
    # As if the worker had died after the ledger had the job's end, and before RQ's books had.
    redis.hset(RqJob.key_for(job_id), "status", "started")
    redis.persist(RqJob.key_for(job_id))
    redis.zadd(StartedJobRegistry("default", connection=redis).key, {f"{job_id}:its-execution": time.time() - 1})
    work()
    assert StartedJobRegistry("default", connection=redis).get_job_ids(cleanup=False) == []
    assert not redis.exists(RqJob.key_for(job_id))


def test_scheduled_job_waits_for_its_moment(redis, work):
    job_id = ask("record", value="later", in_=timedelta(hours=1))
    assert (row(job_id).status, job_id in ScheduledJobRegistry("default", connection=redis).get_job_ids()) == (
        "scheduled",
        True,
    )
    work()
    assert calls == []
    make_due(job_id)
    work()
    assert calls == ["later"]
    assert ScheduledJobRegistry("default", connection=redis).get_job_ids() == []


def test_job_of_a_vanished_worker_runs_again_and_is_parked_the_third_time(work):
    job_id = ask("record", value="x")
    for crash in (1, 2, 3):
        assert claims.claim(job_id, "doomed")
        lapse(job_id)
        rescue.take_back_lost()
        assert row(job_id).crashes == crash
    found = row(job_id)
    assert (found.status, found.charged, found.attempt) == ("failed", 0, 3)
    assert found.error["type"].endswith("/problems/job-crashed")
    assert [a["error"] for a in found.attempts] == ["The worker vanished"] * 3


def test_job_of_a_vanished_worker_does_not_queue_up_a_second_time(redis):
    first, *others = [ask("record", value=str(number)) for number in range(3)]
    assert claims.claim(first, "doomed")
    lapse(first)
    doorbell.forget([first], "default")
    rescue.take_back_lost()
    relay.fill("default")
    assert Queue("default", connection=redis).get_job_ids() == [first, *others]
    redis.flushall()
    relay.fill("default")
    assert Queue("default", connection=redis).get_job_ids() == [first, *others]


def test_job_of_a_vanished_worker_is_first_though_redis_was_not_told(redis):
    first, *others = [ask("record", value=str(number)) for number in range(3)]
    assert claims.claim(first, "doomed")
    lapse(first)
    doorbell.forget([first], "default")
    assert ledger.take_back(row(first)) == "queued"
    session.commit()  # and here the relay died
    relay.fill("default")
    assert Queue("default", connection=redis).get_job_ids() == [first, *others]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has one lock for everything
def test_worker_stopped_in_the_middle_of_a_commit_holds_up_no_other_job():
    stopped, lost = [ask("record", value=name) for name in ("stopped", "lost")]
    assert claims.claim(stopped, "stopped")
    assert claims.claim(lost, "lost")
    session.execute(update(Job).values(lease_expires_at=now() - timedelta(seconds=1)))
    session.commit()
    with session.get_bind().connect() as connection:
        connection.execute(update(Job).where(Job.id == stopped).values(result=1))
        rescue.take_back_lost()
        assert (row(stopped).status, row(lost).status) == ("running", "queued")
        connection.rollback()
    rescue.take_back_lost()
    assert row(stopped).status == "queued"


def test_living_worker_keeps_its_job():
    job_id = ask("record", value="x")
    claim = claims.claim(job_id, "alive")
    session.execute(update(Job).where(Job.id == job_id).values(lease_expires_at=now() - timedelta(seconds=1)))
    claims.extend(claim.id, claim.attempt)
    session.commit()
    rescue.take_back_lost()
    assert row(job_id).status == "running"


def test_window_in_redis_does_not_grow_with_the_backlog(redis, monkeypatch, work):
    monkeypatch.setattr(doorbell, "WINDOW", 3)
    for number in range(10):
        ask("record", value=str(number))
    assert redis.llen("rq:queue:default") == 3
    while len(calls) < 10:
        work()
    assert calls == [str(number) for number in range(10)]


def test_jobs_are_accepted_while_redis_is_away_and_run_when_it_is_back(redis_server, work):
    redis_server.kill()
    try:
        job_id = ask("record", value="x")
    finally:
        redis_server.start()
    assert row(job_id).status == "queued"
    work()
    assert calls == ["x"]


# The schedule


def test_schedule_fires_once_per_due_time_however_many_relays_look(monkeypatch):
    monkeypatch.setattr(recurrences, "_lines", [recurrences.Line("0 * * * *", "test_engine.urgent")])
    assert recurrences.fire() == 0  # a new line waits for its next due time
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)  # many due times were missed: one firing makes up for them
    session.execute(update(Recurrence).values(due_at=long_ago))
    session.commit()
    fired, barrier = [], threading.Barrier(4)

    def fire() -> None:
        barrier.wait()
        fired.append(recurrences.fire())
        session.remove()

    threads = [threading.Thread(target=fire) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(fired) == [0, 0, 0, 1]
    assert len(session.scalars(select(Job)).all()) == 1
    assert session.scalars(select(Recurrence.due_at)).one() > now()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has one lock for everything
def test_relay_that_was_stopped_in_the_middle_of_a_firing_holds_up_nobody(monkeypatch):
    monkeypatch.setattr(recurrences, "_lines", [recurrences.Line("0 * * * *", "test_engine.urgent")])
    recurrences.fire()
    session.execute(update(Recurrence).values(due_at=datetime(2026, 1, 1, tzinfo=UTC)))
    session.commit()
    with session.get_bind().connect() as stopped:
        stopped.execute(update(Recurrence).values(due_at=now()))
        session.execute(text("SET lock_timeout = 100"))
        assert recurrences.fire() == 0
        stopped.rollback()
    assert recurrences.fire() == 1


# What RQ's own tools do


def test_job_enqueued_with_plain_rq_runs_and_gets_a_row(redis, work):
    queue = Queue("default", connection=redis, serializer=JSONSerializer)
    by_name = queue.enqueue("test_engine.record", "by name")
    by_function = queue.enqueue(record, value="by function")
    queue.enqueue("os.system", "true")
    work()
    assert sorted(calls) == ["by function", "by name"]
    assert row(by_name.id).status == row(by_function.id).status == "succeeded"
    assert len(session.scalars(select(Job)).all()) == 2


def test_failed_job_that_rq_requeues_runs_again(redis, work):
    job_id = ask("hopeless")
    work()
    FailedJobRegistry("default", connection=redis, serializer=JSONSerializer).requeue(job_id)
    work()
    assert (row(job_id).status, row(job_id).attempt) == ("failed", 2)


def test_job_that_runs_longer_than_its_timeout_is_a_failed_attempt(work, monkeypatch):
    @job(timeout_seconds=1)
    def dawdle() -> None:
        threading.Event().wait(30)

    job_id = ask("dawdle")
    work()
    found = row(job_id)
    assert (found.status, found.history[-1]["error"]) == ("retrying", "JobTimeoutException")


def test_job_that_the_ledger_has_forgotten_does_not_come_back_from_redis(app, work):
    job_id = enqueue("test_engine.record", value="x").id
    session.commit()
    session.execute(delete(Job).where(Job.id == job_id))
    session.commit()
    assert doorbell.waiting_ids("default") == [job_id]
    work()
    assert calls == []
    assert Job.find(job_id) is None


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has one lock for everything
@pytest.mark.parametrize("later", [False, True])
def test_job_whose_row_is_locked_holds_up_nobody(app, later):
    in_ = timedelta(hours=1) if later else None
    locked, free = (enqueue("test_engine.record", value=name, in_=in_).id for name in ("locked", "free"))
    session.commit()
    session.execute(update(Job).values(run_at=now()))
    session.commit()
    session.execute(text("SET lock_timeout = 1"))  # milliseconds: who waited would fail
    with app.extensions["accepted.engine"].connect() as somebody:
        somebody.execute(select(Job.id).where(Job.id == locked).with_for_update())
        relay.make_due_ready()
        assert claims.claim(locked, "worker") is None
        assert claims.claim(free, "worker")
        session.commit()
    relay.make_due_ready()
    assert claims.claim(locked, "worker")
    session.commit()
