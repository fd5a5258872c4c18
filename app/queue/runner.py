"""One attempt of one job: call it, then finish, retry or fail. Knows nothing of Redis or RQ."""

import json
import logging
import time
import traceback
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import update

from app.db import session
from app.errors import AppError, JobFailed
from app.helpers import context, monitoring
from app.models import Job
from app.models.base import now
from app.queue import attempt, failpoints, ledger, registry

log = logging.getLogger(__name__)
TRACE_LIMIT = 20_000  # characters
NAMESPACE = uuid.UUID("6f1c3a52-3c62-4f0e-9d5b-0f6b6a5f0d11")  # of the alerts' tokens


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended: succeeded, retrying, failed, canceled, queued (given back) or lost (not ours any more)."""

    status: str
    result: Any = None
    error: BaseException | None = None
    retry_seconds: float = 0


def run(claim: ledger.Claim) -> Outcome:
    """Runs the attempt and writes down how it ended. Raises only if that can't be written."""
    context.current.set(
        context.Context(claim.request_id, claim.account_id, claim.id, claim.type, claim.attempt),
    )
    token = attempt.running.set(claim)
    began = time.perf_counter()
    try:
        outcome = _attempt(claim)
    finally:
        attempt.running.reset(token)
        session.remove()
        context.current.set(context.Context())
    log.info("%s %s attempt %d: %s in %.3f s", claim.type, claim.id, claim.attempt, outcome.status, _since(began))
    return outcome


def _since(began: float) -> float:
    return time.perf_counter() - began


def _attempt(claim: ledger.Claim) -> Outcome:
    try:
        result = registry.find(claim.type).function(**claim.args)
        json.dumps(result, allow_nan=False)
        # The job's own writes and its success are one commit.
        if not ledger.succeed(claim, result):
            raise attempt.LeaseLost
        failpoints.reach("returned")
        session.commit()
    except attempt.Canceled:
        session.rollback()
        return settle(ledger.stop(claim), Outcome("canceled"))
    except attempt.LeaseLost:
        session.rollback()
        return Outcome("lost")
    except attempt.Interrupted:
        session.rollback()
        return give_back(claim)
    except BaseException as error:  # sys.exit() in a job is a failure like any other
        session.rollback()
        return raised(claim, error)
    return Outcome("succeeded", result)


def give_back(claim: ledger.Claim) -> Outcome:
    """Back to the queue, uncharged – or canceled, if that was asked for meanwhile."""
    if ledger.give_back(claim, "The worker had to stop"):
        failpoints.reach("given-back")
        return settle(True, Outcome("queued"))
    return settle(ledger.stop(claim), Outcome("canceled"))


def settle(moved: bool, outcome: Outcome) -> Outcome:
    """Commits a move that applied; one that did not means that the job is somebody else's."""
    if not moved:
        session.rollback()
        return Outcome("lost")
    session.commit()
    return outcome


def raised(claim: ledger.Claim, error: BaseException) -> Outcome:
    """Another try later, or the final failure: then the operators are told, once."""
    shown = error if isinstance(error, AppError) else JobFailed()
    cause = type(error).__name__
    trace = "".join(traceback.format_exception(error))[-TRACE_LIMIT:]
    hopeless = isinstance(error, registry.UnknownJob) or (isinstance(error, AppError) and error.status < 500)
    if not hopeless and claim.charged + 1 < claim.max_attempts:
        wait = registry.find(claim.type).retry_after(claim.charged + 1)
        run_at = now() + timedelta(seconds=wait)
        if ledger.retry_later(claim, shown, cause, trace, run_at):
            session.commit()
            log.warning("%s %s raised %s: again in %.0f s", claim.type, claim.id, cause, wait)
            return Outcome("retrying", error=error, retry_seconds=wait)
        session.rollback()
        if ledger.stop(claim):  # it raised while somebody was canceling it
            session.commit()
            return Outcome("canceled")
    outcome = settle(ledger.fail(claim, shown, cause, trace), Outcome("failed", error=error))
    if outcome.status == "failed":
        log.error("%s %s failed for good:\n%s", claim.type, claim.id, trace)
        report(claim, error)
    return outcome


def report(job: ledger.Claim | Job, error: BaseException) -> bool:
    """Tells the operators of a final failure and notes that they were told; the relay repeats what did not get out."""
    kept = ("account_id", "request_id", "attempt", "args")
    taken = monitoring.notify(
        error,
        context={"job_id": job.id, "job_type": job.type, **{name: getattr(job, name) for name in kept}},
        fingerprint=f"{job.type}:{type(error).__name__}",
        tags=("job",),
        token=str(uuid.uuid5(NAMESPACE, f"{job.id}:{job.attempt}")),  # the same on a repeat, so that it can be told
        wait=True,
    )
    if taken:
        failpoints.reach("alerted")
        statement = update(Job).where(Job.id == job.id, Job.attempt == job.attempt).values(reported_at=now())
        session.execute(statement.execution_options(synchronize_session=False))
        session.commit()
    return taken
