"""The parent of a worker: whatever happens to the child that works, its job goes on or somebody is told, at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import psutil
import pytest
import watched
from copies import wait_for
from nursery import Nursery
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from app.db import reading, session
from app.models import Job
from app.models.base import now
from app.queue import claims, enqueue, ledger

one_database = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # these take their time


class Worker:
    """A parent and its child, in processes of their own."""

    def __init__(self, nursery: Nursery, settings):
        self.log = settings.data_dir.parent / "worker.log"
        self.process = nursery.start("worker", settings, self.log)
        self.parent = psutil.Process(self.process.pid)

    def child(self) -> psutil.Process:
        wait_for(self.parent.children, self.log.read_text)
        return self.parent.children()[0]


@contextmanager
def another(nursery: Nursery, settings) -> Iterator[Worker]:
    running = Worker(nursery, settings)
    yield running
    for process in [*running.parent.children(), running.parent] if running.process.poll() is None else []:
        process.kill()
    running.process.wait()


@pytest.fixture
def worker(app, nursery, settings) -> Iterator[Worker]:
    with another(nursery, settings) as running:
        yield running


@pytest.fixture
def reaches(worker: Worker) -> Callable[..., Job]:
    """Waits until a job fits; the job."""

    def wait_until(job_id: str, fits: Callable[[Job], bool]) -> Job:
        def look() -> Job:
            with reading():  # which never waits for SQLite's lock
                job = session.get_one(Job, job_id, populate_existing=True)
                session.expunge(job)
            return job

        wait_for(lambda: fits(look()), lambda: f"{vars(look())}\n{worker.log.read_text()}")
        return look()

    return wait_until


def ask(name: str, **args) -> str:
    job_id = enqueue(f"watched.{name}", **args).id
    session.commit()
    return job_id


def test_child_runs_many_jobs_and_the_parent_none(worker, reaches):
    pids = {reaches(ask("quick"), lambda job: job.is_done).result for _ in range(3)}
    assert pids == {worker.child().pid}


def test_job_of_a_dead_child_starts_again_at_once_and_is_parked_the_third_time(worker, reaches):
    job = reaches(ask("die"), lambda job: job.is_done)
    assert (job.status, job.attempt, job.charged, job.crashes) == ("failed", 3, 0, 3)
    assert {attempt["error"] for attempt in job.attempts} == {"The worker's process died"}
    assert (job.finished_at - job.created_at).total_seconds() < claims.LEASE_SECONDS * 2  # no lease was waited for
    assert reaches(ask("quick"), lambda job: job.is_done).status == "succeeded"


def test_parents_take_back_what_others_left_while_there_is_no_relay(worker, reaches):
    job_id = enqueue("watched.quick").id
    assert claims.claim(job_id, "somebody who is gone")
    session.execute(update(Job).where(Job.id == job_id).values(lease_expires_at=now()))
    session.commit()
    job = reaches(job_id, lambda job: job.is_done)
    assert (job.status, job.attempt, job.crashes, job.charged) == ("succeeded", 2, 1, 0)


def test_job_of_a_worker_that_is_killed_whole_waits_for_no_lease(worker, reaches, nursery, settings):
    job_id = ask("go_on", checkpoints=True)
    reaches(job_id, lambda job: job.status == "running")
    for process in [worker.parent, worker.child()]:
        process.kill()
    worker.process.wait()
    session.execute(update(Job).where(Job.id == job_id).values(lease_expires_at=now() + timedelta(hours=1)))
    session.commit()
    with another(nursery, settings):
        job = reaches(job_id, lambda job: job.attempt == 2)
    assert (job.crashes, job.charged, job.history[0]["error"]) == (1, 0, "The worker vanished")


def test_parents_do_the_relays_work_while_there_is_none(worker, reaches):
    job_id = ask("quick", in_=timedelta(milliseconds=100))
    assert reaches(job_id, lambda job: job.is_done).status == "succeeded"


def test_job_that_is_stuck_in_c_dies_too(worker, reaches):
    job = reaches(ask("stick"), lambda job: job.is_done)
    assert (job.status, job.attempt, job.history[-1]["error"]) == ("failed", 1, "TimeoutError")
    assert reaches(ask("quick"), lambda job: job.is_done).status == "succeeded"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_worker_that_stands_still_with_the_databases_one_lock_is_killed(worker, reaches):
    def cancels() -> bool:
        """It waits for the lock. Should its patience end, so that it has to ask again, it was the worker's turn."""
        try:
            ledger.request_cancel(job_id)
            session.commit()
            return True
        except OperationalError:
            session.rollback()
            return False

    job_id = ask("stand_still")
    job = reaches(job_id, lambda job: job.crashes > 0)
    assert (job.history[0]["error"], job.charged) == ("The worker's process died", 0)
    wait_for(cancels, worker.log.read_text)
    assert "stands still and holds the database's lock" in worker.log.read_text()


@one_database
def test_job_that_uses_too_much_memory_dies_alone(worker, reaches):
    job_id = ask("hog")
    job = reaches(job_id, lambda job: job.crashes > 0)
    ledger.request_cancel(job.id)
    session.commit()
    assert "uses more than 400 MiB" in worker.log.read_text()


@pytest.mark.parametrize("checkpoints", [True, False])
def test_canceled_job_ends_at_its_checkpoint_or_by_force(worker, reaches, checkpoints):
    job_id = ask("go_on", checkpoints=checkpoints)
    reaches(job_id, lambda job: job.status == "running")
    assert ledger.request_cancel(job_id) == "canceling"
    session.commit()
    assert reaches(job_id, lambda job: job.is_done).status == "canceled"
    assert reaches(ask("quick"), lambda job: job.is_done).status == "succeeded"


@one_database
def test_worker_that_has_to_go_gives_its_job_back_uncharged(worker, reaches):
    job_id = ask("go_on", checkpoints=False)
    reaches(job_id, lambda job: job.status == "running")
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(timeout=20) == 0
    job = reaches(job_id, lambda job: job.status != "running")
    assert (job.status, job.charged, job.crashes) == ("queued", 0, 0)


@one_database
def test_child_that_is_stuck_when_the_worker_has_to_go_is_killed_and_its_job_not_charged(worker, reaches):
    job_id = ask("go_on", checkpoints=False)
    reaches(job_id, lambda job: job.status == "running")
    worker.child().suspend()
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(timeout=20) == 0
    job = reaches(job_id, lambda job: job.status != "running")
    assert (job.status, job.charged, job.crashes) == ("queued", 0, 0)


def test_paused_child_keeps_its_job_while_its_parent_lives(worker, reaches):
    job_id = ask("go_on", checkpoints=False)
    before = reaches(job_id, lambda job: job.status == "running").lease_expires_at
    worker.child().suspend()
    job = reaches(job_id, lambda job: job.lease_expires_at and job.lease_expires_at > before)
    assert (job.status, job.attempt) == ("running", 1)
    worker.child().resume()


def test_killed_parent_takes_its_child_with_it(worker, reaches):
    reaches(ask("quick"), lambda job: job.is_done)
    child = worker.child()
    worker.parent.kill()
    worker.process.wait()
    wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, worker.log.read_text)
    assert watched.quick
