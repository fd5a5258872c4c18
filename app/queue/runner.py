"""One attempt of one job: call it, then finish, retry or fail. Knows nothing of Redis or RQ."""

import json
import logging
import time
import traceback
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.db import session
from app.errors import AppError, JobFailed
from app.helpers import context
from app.models.base import now
from app.queue import attempt, claims, failpoints, ledger, registry, reports

log = logging.getLogger(__name__)
TRACE_LIMIT = 20_000  # characters
RQ_LOOKS_AHEAD = timedelta(days=365)


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended: succeeded, retrying, failed, canceled, queued (given back), scheduled (postponed)
    or lost (not ours any more)."""

    status: str
    result: Any = None
    error: BaseException | None = None
    retry_seconds: float = 0


def run(claim: claims.Claim) -> Outcome:
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


def _attempt(claim: claims.Claim) -> Outcome:
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
    except attempt.Postponed as wish:
        return _postpone(claim, wish.until)
    except attempt.Interrupted:
        session.rollback()
        return give_back(claim)
    except BaseException as error:  # sys.exit() in a job is a failure like any other
        session.rollback()
        return raised(claim, error)
    return Outcome("succeeded", result)


def _postpone(claim: claims.Claim, until: datetime) -> Outcome:
    """What the job wrote last is committed with it, even if it was to be canceled."""
    if ledger.postpone(claim, until):
        seconds = max(0.0, (min(until, now() + RQ_LOOKS_AHEAD) - now()).total_seconds())
        return settle(True, Outcome("scheduled", retry_seconds=seconds))
    return settle(ledger.stop(claim), Outcome("canceled"))


def give_back(claim: claims.Claim) -> Outcome:
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


def raised(claim: claims.Claim, error: BaseException) -> Outcome:
    """Another try later, or the final failure: then the operators are told."""
    shown = error if isinstance(error, AppError) else JobFailed()
    cause = type(error).__name__
    trace = "".join(traceback.format_exception(error))[-TRACE_LIMIT:]
    hopeless = isinstance(error, registry.UnknownJob) or registry.find(claim.type).is_hopeless(error)
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
    kind = reports.cause_of(shown.slug, cause)
    alone = reports.may_tell(claim.type, kind)
    outcome = settle(ledger.fail(claim, shown, cause, trace, told_alone=alone), Outcome("failed", error=error))
    if outcome.status == "failed":
        log.error("%s %s failed for good:\n%s", claim.type, claim.id, trace)
        if alone:
            reports.tell_at_once(claim, kind, error)
    return outcome
