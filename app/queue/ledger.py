"""The moves of a job, each one conditional UPDATE: the row is as expected and changes, or nothing happens.

`attempt` is the fencing token: a worker that lost its lease finds another number in the row and changes nothing.
No function here commits; the caller's transaction decides.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, select, true, update

from app.config import settings
from app.db import session
from app.errors import AppError, JobCanceled, JobCrashed
from app.models import Job
from app.models.base import now, rfc3339
from app.models.job import HELD, WAITING
from app.queue import signals
from app.queue.claims import Claim

MOST_CRASHES = 3
POSTPONED = "Postponed"  # what an attempt is remembered by that ended so


def _change(*conditions: ColumnElement[bool], **values: Any) -> bool:
    """Runs the one UPDATE of a move; True if it applied."""
    statement = update(Job).where(*conditions).values(**values).execution_options(synchronize_session=False)
    return session.execute(statement).rowcount == 1  # type: ignore[attr-defined, no-any-return]


def _move(job_id: str, *conditions: ColumnElement[bool], **values: Any) -> bool:
    """A change that others wait for."""
    moved = _change(Job.id == job_id, *conditions, **values)
    if moved:
        signals.tell_after_commit(job_id)
    return moved


def _mine(claim: Claim, *statuses: str) -> tuple[ColumnElement[bool], ...]:
    return (Job.id == claim.id, Job.attempt == claim.attempt, Job.status.in_(statuses or HELD))


def progress(claim: Claim, message: str | None = None, pieces: tuple[int, int, int] | None = None) -> str | None:
    """Notes progress: of `pieces`, how many are completed, failed, and there in all. Pieces are noted once they are
    more than an earlier attempt got done, so that nobody sees the job go backwards.

    Returns the status then, `running` or `canceling`, or None if the job is no longer this worker's.
    """
    values: dict[str, Any] = {"progress_at": now()}
    if message is not None:
        values["progress_message"] = message[:255]
    if pieces is not None:
        is_news = Job.progress_completed + Job.progress_failed <= pieces[0] + pieces[1]
        columns = (Job.progress_completed, Job.progress_failed, Job.progress_total)
        values |= {column.key: case((is_news, new), else_=column) for column, new in zip(columns, pieces, strict=True)}
        is_further = Job.progress_completed + Job.progress_failed < pieces[0] + pieces[1]
        values["crashes"] = case((is_further, 0), else_=Job.crashes)  # the deaths so far were not its fault
    statement = update(Job).where(*_mine(claim)).values(**values).returning(Job.status)
    status: str | None = session.execute(statement.execution_options(synchronize_session=False)).scalar_one_or_none()
    if status is not None:
        signals.tell_after_commit(claim.id)
    return status


def succeed(claim: Claim, result: Any) -> bool:
    return _move(claim.id, *_mine(claim), status="succeeded", result=result, **_ending())


def retry_later(claim: Claim, error: AppError, cause: str, trace: str, run_at: datetime) -> bool:
    """running → retrying. A job that somebody wants canceled is not tried again: then False."""
    return _move(
        claim.id,
        *_mine(claim, "running"),
        status="retrying",
        run_at=run_at,
        charged=claim.charged + 1,
        history=[*claim.history, _past(claim, error, cause)],
        trace=trace,
        lease_expires_at=None,
    )


def fail(claim: Claim, error: AppError, cause: str, trace: str, *, told_alone: bool = False) -> bool:
    """running or canceling → failed. `told_alone`: the worker will tell the operators itself."""
    return _move(
        claim.id,
        *_mine(claim),
        status="failed",
        charged=claim.charged + 1,
        error=error.to_problem(settings().public_url),
        history=[*claim.history, _past(claim, error, cause)],
        trace=trace,
        **_ending() | {"told_alone": told_alone},
    )


def stop(claim: Claim) -> bool:
    """canceling → canceled: the job saw at a checkpoint that it is not wanted any more."""
    error = JobCanceled()
    past = _past(claim, error, "Canceled")
    return _move(claim.id, *_mine(claim, "canceling"), **_canceled(error), history=[*claim.history, past])


def postpone(claim: Claim, until: datetime) -> bool:
    """running → scheduled, uncharged: the job itself wants to go on at that moment, and is not in trouble."""
    others = [past for past in claim.history if past["error"] != POSTPONED]
    return _move(
        claim.id,
        *_mine(claim, "running"),
        status="scheduled",
        run_at=until,
        charged=0,
        crashes=0,
        lease_expires_at=None,
        history=[*others, _past(claim, None, POSTPONED)],
    )


def hasten(job_id: str) -> bool:
    """scheduled → queued: it is due now. Not so if it waits for a batch."""
    return _move(job_id, Job.status == "scheduled", Job.batch_left == 0, status="queued", run_at=now())


def give_back(claim: Claim, why: str) -> bool:
    """running → queued, uncharged: the worker has to go and the job is not to blame."""
    past = _past(claim, None, why)
    return _move(
        claim.id, *_mine(claim, "running"), status="queued", lease_expires_at=None, history=[*claim.history, past]
    )


def take_back(job: Job, *, at_once: bool = False, cause: str = "The worker vanished") -> str | None:
    """The lease ran out, or (`at_once`) the worker is known to be dead: queued again, or canceled if that was asked
    for, or failed the third time.

    Returns the new status, or None if the worker came back in time or another relay was quicker.
    """
    crashes = job.crashes + 1
    values: dict[str, Any]
    if job.status == "canceling":
        values = _canceled(JobCanceled())
    elif crashes >= MOST_CRASHES:
        error = JobCrashed(f"The job's worker died {crashes} times in the middle of it.")
        values = {"status": "failed", "error": error.to_problem(settings().public_url), **_ending()}
    else:
        values = {"status": "queued", "lease_expires_at": None}  # `run_at` stays: it has waited its turn
    past = {
        "number": job.attempt,
        "started_at": rfc3339(job.started_at),
        "finished_at": rfc3339(now()),
        "worker": job.worker,
        "error": cause,
    }
    moved = _move(
        job.id,
        Job.attempt == job.attempt,
        Job.status == job.status,
        true() if at_once else Job.lease_expires_at <= now(),
        crashes=crashes,
        history=[*job.history, past],
        **values,
    )
    return str(values["status"]) if moved else None


def request_cancel(job_id: str) -> str | None:
    """Canceled at once while it waits, canceling while it runs; so are those of its batch, if it waits for one. The new
    status, or None: it is done already."""
    if _cancel_waiting(job_id, Job.batch_left == 0):
        return "canceled"
    if _move(job_id, Job.status == "running", status="canceling", cancel_requested_at=now()):
        return "canceling"
    if _cancel_batch(job_id) and _cancel_waiting(job_id):
        return "canceled"
    return session.scalar(select(Job.status).where(Job.id == job_id, Job.status == "canceling"))


def _cancel_waiting(job_id: str, *conditions: ColumnElement[bool]) -> bool:
    wish = {"cancel_requested_at": now(), **_canceled(JobCanceled())}
    return _move(job_id, Job.status.in_(WAITING), *conditions, **wish)


def _cancel_batch(job_id: str) -> bool:
    """True if the job waits for a batch, which is canceled then. First its jobs and after them the job itself: in the
    order in which they lock each other's rows anyway."""
    waits = select(Job.id).where(Job.id == job_id, Job.status.in_(WAITING), Job.batch_left > 0)
    if session.scalar(waits) is None:
        return False
    batch = update(Job).where(Job.batch_id == job_id).execution_options(synchronize_session=False)
    wish = {"cancel_requested_at": now()}
    session.execute(batch.where(Job.status.in_(WAITING)).values(**_canceled(JobCanceled()), **wish))
    session.execute(batch.where(Job.status == "running").values(status="canceling", **wish))
    return True


def start_again(job_id: str) -> bool:
    """failed or canceled → queued, as if new but for its number of attempts. It leaves its batch, which has counted it
    already; and a job whose own batch is not done yet has nothing to start with."""
    return _move(
        job_id,
        Job.status.in_(("failed", "canceled")),
        Job.batch_left == 0,
        batch_id=None,
        status="queued",
        run_at=now(),
        charged=0,
        crashes=0,
        error=None,
        finished_at=None,
        expires_at=None,
        reported_at=None,
        cancel_requested_at=None,
    )


def _ending() -> dict[str, Any]:
    moment = now()
    expires_at = moment + timedelta(days=settings().job_retention_days)
    untold = {"reported_at": None, "told_alone": False}
    return {"finished_at": moment, "lease_expires_at": None, "expires_at": expires_at, **untold}


def _canceled(error: AppError) -> dict[str, Any]:
    return {"status": "canceled", "error": error.to_problem(settings().public_url), **_ending()}


def _past(claim: Claim, error: AppError | None, cause: str) -> dict[str, Any]:
    """What the row remembers of an attempt that did not succeed. `cause` is a class name: messages may hold secrets."""
    return {
        "number": claim.attempt,
        "started_at": rfc3339(claim.started_at),
        "finished_at": rfc3339(now()),
        "worker": claim.worker,
        "error": error.detail if error is not None and error.slug != "job-failed" else cause,
    }
