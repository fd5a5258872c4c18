"""The RQ worker, subclassed: what it pops is only an id; the ledger says whether and what to run.

The only file that knows RQ's insides. RQ keeps its own books (registries, results, worker records), so that its tools
and the dashboard show the truth; the job itself is claimed, run and settled by `runner.py`.
"""

import logging
import os
import signal
import threading
from types import FrameType
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.job import Job as RqJob
from rq.job import JobStatus, Retry
from rq.registry import CanceledJobRegistry, FailedJobRegistry, FinishedJobRegistry
from rq.serializers import JSONSerializer
from rq.worker_registration import clean_worker_registry

from app.db import session
from app.models.base import now
from app.models.job import LANES
from app.queue import adoption, attempt, claims, doorbell, failpoints, ledger, names, runner, turns
from app.queue.watch import Report

log = logging.getLogger(__name__)

REDIS_TTL_SECONDS = 30  # RQ takes a worker that was silent for this long (and a minute) off its list
RECONNECT_SECONDS = 0.5
JOBS_A_PROCESS = 10_000  # then a fresh one takes over: whatever leaks, leaks no further
GRACE_SECONDS = 5  # for the job in hand when the worker has to go; supervisord kills after 7


class LedgerJob(RqJob):
    """RQ's record of a job, which runs by its claim on the ledger."""

    claim: claims.Claim | None = None
    outcome: runner.Outcome | None = None

    def perform(self) -> Any:
        """Runs the attempt and puts its outcome in RQ's words: a result, a `Retry`, or an exception."""
        assert self.claim is not None
        self.outcome = outcome = runner.run(self.claim)
        failpoints.reach("finished")
        if outcome.status in ("retrying", "scheduled"):
            return Retry(max=1_000_000, interval=max(1, round(outcome.retry_seconds)))  # the ledger counts, not RQ
        if isinstance(outcome.error, Exception):
            raise outcome.error
        if outcome.status != "succeeded":
            raise NotFinished(outcome.status)
        self._result = outcome.result
        return outcome.result


class NotFinished(Exception):
    """The attempt did not end the job: it was canceled, given back, or is somebody else's by now; or sys.exit() did."""


class LedgerWorker(SimpleWorker):
    """One process, one job at a time. `report` tells the parent, in watch.py, which attempt is in hand."""

    job_class = LedgerJob
    max_connection_wait_time = 2.0  # seconds; RQ's own minute would leave jobs lying after an outage
    log_result_lifespan = False

    def __init__(self, *args: Any, report: Report = lambda _claim: None, **options: Any):
        super().__init__(*args, **options)
        self.report = report
        self.stopping = False

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """The first signal: the job in hand may finish, within the grace period."""
        self.stopping = True
        attempt.stopping.set()
        end_of_grace = threading.Timer(GRACE_SECONDS, os.kill, (os.getpid(), signal.SIGTERM))
        end_of_grace.daemon = True
        end_of_grace.start()
        super().request_stop(signum, frame)

    def request_force_stop(self, signum: int, frame: FrameType | None) -> None:
        """The second signal: the job in hand goes back to its queue, uncharged."""
        if attempt.running.get() is not None:
            raise attempt.Interrupted
        super().request_force_stop(signum, frame)

    def execute_job(self, job: LedgerJob, queue: Queue) -> None:
        """Claims what was popped; a job that is not to be had (rung twice, canceled) costs nothing more."""
        failpoints.reach("popped")
        claim = adoption.claim(job, self.name)
        if claim is None:
            return
        failpoints.reach("claimed")
        job.claim = claim
        self.report(claim)
        failpoints.reach("begun")
        try:
            execution = self.prepare_execution(job)
            self.perform_job(job, queue, execution)
        finally:
            self.report(None)
        if claim.at_once is not None:
            turns.call_next(claim.share, claim.queue)
        self.set_state("idle")

    def handle_exception(self, job: LedgerJob, *exc_info: Any) -> None:
        """The runner has logged and reported it."""

    def handle_job_failure(
        self, job: LedgerJob, queue: Queue, *args: Any, execution: Any = None, **options: Any
    ) -> None:
        """RQ's books for what did not succeed; a job that was canceled or lost has not failed."""
        status = job.outcome.status if job.outcome else "failed"
        if status == "failed":
            super().handle_job_failure(job, queue, *args, execution=execution, **options)
            if job.claim is not None:
                doorbell.mark_failure(job, job.claim.attempt)
            return
        with self.connection.pipeline() as pipe:
            self.cleanup_execution(job, pipeline=pipe, execution=execution)
            if status == "canceled":
                job.set_status(JobStatus.CANCELED, pipeline=pipe)
                CanceledJobRegistry(job.origin, connection=self.connection).add(job, pipeline=pipe)
            pipe.execute()

    def kill_horse(self, *_: Any) -> None:
        """RQ's stop-job command, heard by the listening thread: as if its owner canceled it. A job that does not reach
        a checkpoint is ended by the parent."""
        job_id = self.get_current_job_id()
        if job_id is not None:
            ledger.request_cancel(job_id)
            session.commit()
            session.remove()

    def unsubscribe(self) -> None:
        """RQ wakes its listening thread before it tells it to stop, and then as often as not waits a second for it."""
        if self.pubsub_thread:
            self.pubsub_thread.stop()
        super().unsubscribe()

    def run_maintenance_tasks(self) -> None:
        """Trims RQ's lists. Abandoned jobs are the relay's business: RQ would call them failed."""
        for queue in self.queues:
            doorbell.forget_abandoned(queue.name)
            for kept in (FinishedJobRegistry, FailedJobRegistry, CanceledJobRegistry):
                kept(queue.name, connection=self.connection, serializer=JSONSerializer).cleanup()
            clean_worker_registry(queue)
        self.last_cleaned_at = now()


def work(redis_url: str, report: Report) -> None:
    """Works until SIGTERM or SIGINT; the job in hand is finished first. Redis that is away is waited for."""
    stop = threading.Event()
    while not stop.is_set():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        try:
            if _work_while_redis_is_there(redis_url, report, stop):
                return
        except RedisError as error:
            log.warning("redis is away: %s", error)
            stop.wait(RECONNECT_SECONDS)


def _work_while_redis_is_there(redis_url: str, report: Report, stop: threading.Event) -> bool:
    """True if the process has done its share of jobs and another shall take over. Sets `stop` if it was a signal that
    ended it, whatever else went wrong then."""
    client = Redis.from_url(redis_url)
    worker: LedgerWorker | None = None
    try:
        client.ping()
        worker = LedgerWorker(
            LANES,
            name=names.new(os.getppid()),
            connection=client,
            serializer=JSONSerializer,
            worker_ttl=REDIS_TTL_SECONDS,
            log_job_description=False,
            report=report,
        )
        worker.work(logging_level="WARNING", max_jobs=JOBS_A_PROCESS)
        return bool(worker.successful_job_count + worker.failed_job_count >= JOBS_A_PROCESS)
    finally:
        if worker is not None and worker.stopping:
            stop.set()
        client.close()
