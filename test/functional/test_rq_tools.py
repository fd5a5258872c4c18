"""RQ's own tools tell the truth about our jobs, and do what they say: command line, commands, registries."""

import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.command import send_stop_job_command
from rq.job import Job as RqJob
from rq.job import JobStatus
from rq.registry import (
    BaseRegistry,
    CanceledJobRegistry,
    FailedJobRegistry,
    FinishedJobRegistry,
    ScheduledJobRegistry,
    StartedJobRegistry,
)
from rq.serializers import JSONSerializer
from sqlalchemy import select, update

from app.db import session
from app.models import Job
from app.models.base import now
from app.queue import adoption, checkpoint, doorbell, enqueue, job, ledger
from app.queue.doorbell import Ring

done: list[str] = []
in_the_middle: list[Callable[[], object]] = []  # what a test wants done while a job runs


@job()
def note(word: str) -> str:
    done.append(word)
    for act in in_the_middle:
        act()
    return word


@job(retries=[60])
def fail(word: str) -> None:
    done.append(word)
    raise KeyError(word)


@job()
def go_on() -> None:
    for act in in_the_middle:
        act()
    while True:
        threading.Event().wait(0.02)
        checkpoint()


@pytest.fixture
def database_url(migrated: Callable[[str], str]) -> str:
    return migrated("sqlite")  # Redis is what these tools look at


@pytest.fixture(autouse=True)
def _fresh(app):
    done.clear()
    in_the_middle.clear()


@pytest.fixture
def rq(settings) -> Callable[..., str]:
    """The command line, in a process of its own; what it prints."""

    def run(command: str, *args: str) -> str:
        program = Path(sys.executable).with_name("rq")
        full = [program, command, "--url", settings.redis_url, *args]
        ran = subprocess.run(full, capture_output=True, text=True, timeout=60, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    return run


def ask(name: str, **options) -> str:
    job_id = enqueue(f"test_rq_tools.{name}", **options).id
    session.commit()
    return job_id


def status(job_id: str) -> str:
    session.rollback()
    return session.get_one(Job, job_id, populate_existing=True).status


def make_due() -> None:
    session.execute(update(Job).where(Job.status.in_(("scheduled", "retrying"))).values(run_at=now()))
    session.commit()


def ids(redis: Redis, registry: type[BaseRegistry]) -> list[str]:
    return registry("default", connection=redis, serializer=JSONSerializer).get_job_ids()


def record(redis: Redis, job_id: str) -> RqJob:
    return RqJob.fetch(job_id, connection=redis, serializer=JSONSerializer)


def test_info_counts_what_waits_runs_and_is_done(redis, rq, work):
    seen: list[str] = []
    assert "queue" not in rq("info", "--raw")
    ask("note", word="first")
    failed = ask("fail", word="x")
    work()
    make_due()
    work()
    assert status(failed) == "failed"
    ask("note", word="second"), ask("note", word="third")
    assert "queue default 2, 0 executing, 1 finished, 1 failed" in rq("info", "--raw")
    in_the_middle.append(lambda: seen.append(rq("info", "--raw")))
    work()
    assert "queue default 1, 1 executing, 1 finished, 1 failed" in seen[0]
    assert "queue default 0, 1 executing, 2 finished, 1 failed" in seen[1]
    assert " busy" in seen[0]
    assert "queue default 0, 0 executing, 3 finished, 1 failed" in rq("info", "--raw")


def test_each_job_stands_in_the_one_registry_of_its_status(redis, work):
    started: list[list[str]] = []
    in_the_middle.append(lambda: started.append(ids(redis, StartedJobRegistry)))
    finished, failed = ask("note", word="x"), ask("fail", word="y")
    later = ask("note", word="later", in_=timedelta(hours=1))
    assert Queue("default", connection=redis).get_job_ids() == [finished, failed]
    work()
    assert started == [[finished]]
    assert sorted(ids(redis, ScheduledJobRegistry)) == sorted([failed, later])  # it is tried again in a minute
    session.execute(update(Job).where(Job.id == failed).values(run_at=now()))
    session.commit()
    work()
    in_the_middle[:] = [lambda: ledger.request_cancel(canceled) and session.commit()]
    canceled = ask("go_on")
    work()
    assert Queue("default", connection=redis).get_job_ids() == ids(redis, StartedJobRegistry) == []
    for registry, shown, job_id in (
        (FinishedJobRegistry, JobStatus.FINISHED, finished),
        (FailedJobRegistry, JobStatus.FAILED, failed),
        (ScheduledJobRegistry, JobStatus.SCHEDULED, later),
        (CanceledJobRegistry, JobStatus.CANCELED, canceled),
    ):
        assert ids(redis, registry) == [job_id]
        assert record(redis, job_id).get_status() == shown
    assert record(redis, finished).return_value() == "x"


def test_suspended_workers_take_nothing_until_they_are_resumed(rq, work):
    job_id = ask("note", word="x")
    rq("suspend")
    work()
    assert (status(job_id), done) == ("queued", [])
    rq("resume")
    work()
    assert (status(job_id), done) == ("succeeded", ["x"])


@pytest.mark.parametrize("serializer", [(), ("--serializer", "json")])
def test_failed_jobs_are_requeued_from_the_command_line(redis, rq, work, serializer):
    job_id = ask("fail", word="x")
    work()
    make_due()
    work()
    assert status(job_id) == "failed"
    rq("requeue", "--queue", "default", *serializer, job_id)
    work()
    assert (status(job_id), session.get_one(Job, job_id).attempt) == ("retrying", 3)
    make_due()
    work()
    rq("requeue", "--queue", "default", *serializer, "--all")
    work()
    assert session.get_one(Job, job_id, populate_existing=True).attempt == 5
    assert done == ["x"] * 5


def test_job_is_stopped_by_rqs_command(redis, work):
    job_id = ask("go_on")
    in_the_middle.append(lambda: send_stop_job_command(redis, job_id, serializer=JSONSerializer))
    work()
    assert status(job_id) == "canceled"
    assert record(redis, job_id).get_status() == JobStatus.CANCELED
    assert ids(redis, CanceledJobRegistry) == [job_id]
    assert ids(redis, StartedJobRegistry) == []


def test_worker_is_known_to_rq_while_it_lives(redis, work):
    known: list[tuple] = []

    def look() -> None:
        (worker,) = Worker.all(connection=redis)
        known.append((worker.get_state(), worker.get_current_job_id(), sorted(worker.queue_names())))

    in_the_middle.append(look)
    job_id = ask("note", word="x")
    work()
    assert known == [("busy", job_id, ["default", "high", "low"])]
    assert Worker.all(connection=redis) == []


def test_only_what_is_registered_runs_from_the_command_line(redis, rq, work, tmp_path):
    crater = tmp_path / "crater"
    json = ("--queue", "default", "--serializer", "json")
    rq("enqueue", *json, "test_rq_tools.note", ':"by hand"')
    rq("enqueue", *json, "os.mkdir", str(crater))
    rq("enqueue", "--queue", "default", "os.mkdir", str(crater))  # pickled
    work()
    assert done == ["by hand"]
    assert not crater.exists()
    (ran,) = session.scalars(select(Job)).all()
    assert (ran.type, ran.status, ran.result) == ("test_rq_tools.note", "succeeded", "by hand")


@pytest.mark.parametrize(("name", "shown"), [("note", JobStatus.FINISHED), ("fail", JobStatus.FAILED)])
def test_ring_that_comes_after_the_end_starts_nothing(redis, work, name, shown):
    """By a process that was stopped between its commit and its ring. It is no `rq requeue`."""
    job_id = ask(name, word="x")
    late = Ring.of(session.get_one(Job, job_id))
    work()
    make_due()
    work()
    ended, attempts = status(job_id), len(done)
    redis.delete(RqJob.key_for(job_id))
    doorbell.ring([late])
    work()
    assert (status(job_id), len(done)) == (ended, attempts)
    assert record(redis, job_id).get_status() == shown
    assert redis.ttl(RqJob.key_for(job_id)) > 0


def test_ring_between_the_failure_and_its_mark_is_no_requeue(redis, work):
    job_id = ask("fail", word="x")
    late = Ring.of(session.get_one(Job, job_id))
    work()
    make_due()
    work()
    ended, attempts = session.get_one(Job, job_id, populate_existing=True).attempt, len(done)
    before = record(redis, job_id)
    doorbell.ring([late])
    doorbell.mark_failure(before, ended)
    work()
    assert (status(job_id), len(done)) == ("failed", attempts)
    FailedJobRegistry("default", connection=redis, serializer=JSONSerializer).requeue(job_id)
    work()
    assert len(done) == attempts + 1  # while a requeue still is one


def test_worker_that_finds_redis_gone_holds_no_lock(redis, settings, work):
    """It popped a job that was rung for after its end, and can't put RQ's record right."""
    job_id = ask("note", word="x")
    late = Ring.of(session.get_one(Job, job_id))
    work()
    session.remove()
    doorbell.ring([late])
    popped = record(redis, job_id)
    doorbell.connect("unix:///nowhere")
    with pytest.raises(RedisError):
        adoption.claim(popped, "worker")
    assert not session.registry.has()
    doorbell.connect(settings.redis_url)
