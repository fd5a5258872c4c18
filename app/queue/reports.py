"""Tells the operators of final failures, each once: by an alert of its own or, in a storm, by one that counts.

Failed rows without `reported_at` are the list of what is to be told, so that no kill loses any of it. A worker tells
its own failures at once, with their traceback – but no more than a handful of a kind a minute, and none while the alert
service is away. The rest is the relay's. Whatever was handed over and not noted is repeated under the same token, by
which the collector makes it one.
"""

import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import and_, or_, select, update
from sqlalchemy.exc import DBAPIError

from app.db import reading, session
from app.errors import JobFailed
from app.helpers import context as current_context
from app.helpers import monitoring
from app.models import Job
from app.models.base import now, rfc3339
from app.models.job import UNREPORTED
from app.queue import failpoints, ledger
from app.queue.claims import Claim
from app.queue.client import enqueue

log = logging.getLogger(__name__)

HANDFUL = 5  # like failures a minute that are told one by one; more are counted
WINDOW = timedelta(seconds=60)
GRACE = timedelta(seconds=15)  # in which a worker that is alive has told its failure, or left it
LISTED = 20  # ids that a counting alert names
BATCH = 10_000
TICK_SECONDS = 5
TRACE_LIMIT = 4_000  # characters
NAMESPACE = uuid.UUID("6f1c3a52-3c62-4f0e-9d5b-0f6b6a5f0d11")  # of the alerts' tokens
LOOK = (
    select(Job.id, Job.attempt, Job.type, Job.error, Job.history, Job.finished_at, Job.told_alone)
    .where(UNREPORTED)
    .order_by(Job.finished_at)
    .limit(BATCH)
)

_told: dict[str, deque[float]] = {}  # by kind, when this process told its last few
_away_until = [0.0]  # by the monotonic clock: when the alert service, which is away, is worth another try


class Failure(NamedTuple):
    """One final failure of one job. Those of one job type and one cause are alike: one *kind*."""

    job_id: str
    attempt: int
    job_type: str
    cause: str

    @property
    def kind(self) -> str:
        return f"{self.job_type}:{self.cause}"


Dated = tuple[datetime, Failure]  # when it failed


def cause_of(slug: str, error_class: str) -> str:
    """What made a job fail, in a word: the kind of problem, or the exception's class where that says nothing."""
    return error_class if slug == JobFailed.slug else slug


def _failure_of(job: Any) -> Failure:
    """Read off a failed row; one that was emptied before anybody could be told has forgotten its cause."""
    if job.error is None or not job.history:
        return Failure(job.id, job.attempt, job.type, "unknown")
    slug = job.error["type"].rpartition("/")[2]
    return Failure(job.id, job.attempt, job.type, cause_of(slug, job.history[-1]["error"]))


def may_tell(job_type: str, cause: str) -> bool:
    """Whether a worker shall tell of this failure itself: unless the alert service is away or has heard enough of this
    kind. It notes so with the failure, before it tells: so the failure has one token, whoever repeats the alert."""
    return not monitoring.enabled() or _has_room(f"{job_type}:{cause}")


def tell_at_once(claim: Claim, cause: str, error: BaseException) -> None:
    """The worker's own word, where it may."""
    failure = Failure(claim.id, claim.attempt, claim.type, cause)
    if _notify(failure, context=_context(claim), error=error):
        _note_told([failure])
    else:
        _away_until[:] = [time.monotonic() + WINDOW.total_seconds()]


def _has_room(kind: str) -> bool:
    moment = time.monotonic()
    if moment < _away_until[0]:
        return False
    last = _told.setdefault(kind, deque(maxlen=HANDFUL))
    if len(last) == HANDFUL and last[0] > moment - WINDOW.total_seconds():
        return False
    last.append(moment)
    return True


def start_again(job: Job) -> bool:
    """failed or canceled → queued; a failure that nobody was told of becomes a job of its own. False: it is neither."""
    session.refresh(job, with_for_update=True)
    untold = _failure_of(job) if job.status == "failed" and job.reported_at is None else None
    if not ledger.start_again(job.id):
        return False
    if untold is not None:
        asker = current_context.current.set(current_context.Context())  # for the operators alone
        try:
            enqueue("jobs.report", **untold._asdict())
        finally:
            current_context.current.reset(asker)
    return True


def tell(failure: Failure) -> bool:
    """Tells of one failure after the event, from what its row still knows. True if the alert service took it."""
    with reading():
        job = session.get(Job, failure.job_id, populate_existing=True)
        session.expunge_all()
    context = {} if job is None else _context(job)
    if job is not None and job.attempt == failure.attempt and job.trace:
        context["trace"] = job.trace[-TRACE_LIMIT:]  # later attempts have their own
    return _notify(failure, context=context, message=f"{failure.job_type} failed: {failure.cause}")


def run(stop: threading.Event) -> None:
    """The relay's side, in a thread of its own: an alert service that hangs must not keep jobs waiting."""
    while not stop.is_set():
        try:
            tell_the_rest()
        except DBAPIError as error:
            log.warning("reports: the database is away: %s", error)
        except Exception:
            log.exception("reports: a look failed")
        finally:
            session.remove()
        stop.wait(TICK_SECONDS)


def tell_the_rest() -> None:
    """What the workers left: a handful in a minute one by one, more by one alert as soon as their minute is over.

    A minute begins with its first failure, so that whoever repeats the alert counts the same ones.
    """
    settled = now() - GRACE
    alone, kinds = _unreported()
    for alike in kinds:
        minute = [(failed_at, failure) for failed_at, failure in alike if failed_at < alike[0][0] + WINDOW]
        if len(minute) <= HANDFUL:
            few = [(failed_at, failure) for failed_at, failure in minute if failed_at <= settled]
            _note([failure for _, failure in few], told_alone=True)
            alone += few
        elif alike[0][0] + WINDOW <= settled and not _tell_many(minute):
            return  # the alert service is away; the next look tries again
    for failed_at, failure in alone:
        if failed_at <= settled:
            if not tell(failure):
                return
            _note_told([failure])


def _unreported() -> tuple[list[Dated], Iterable[list[Dated]]]:
    """What is to be told, oldest first: alone, and by kind."""
    alone: list[Dated] = []
    kinds: dict[str, list[Dated]] = {}
    with reading():
        for row in session.execute(LOOK):
            failure = _failure_of(row)
            (alone if row.told_alone else kinds.setdefault(failure.kind, [])).append((row.finished_at, failure))
    return alone, kinds.values()


def _tell_many(minute: list[Dated]) -> bool:
    failures = [failure for _, failure in minute]
    first, last = failures[0], failures[-1]
    taken = monitoring.notify(
        error_class=first.cause,
        message=f"{len(failures)} more jobs failed like this: {first.job_type}, {first.cause}",
        context={
            "job_type": first.job_type,
            "count": len(failures),
            "first_job_id": first.job_id,
            "last_job_id": last.job_id,
            "first_failed_at": rfc3339(minute[0][0]),
            "last_failed_at": rfc3339(minute[-1][0]),
            "job_ids": [failure.job_id for failure in failures[:LISTED]],
        },
        fingerprint=first.kind,
        tags=("job",),
        token=_token_of(failures),
        wait=True,
    )
    if taken:
        _note_told(failures)
    return taken


def _notify(
    failure: Failure, *, context: dict[str, Any], error: BaseException | None = None, message: str | None = None
) -> bool:
    names = {"job_id": failure.job_id, "job_type": failure.job_type, "attempt": failure.attempt}
    return monitoring.notify(
        error,
        error_class=None if error else failure.cause,
        message=message,
        context=context | names,
        fingerprint=failure.kind,
        tags=("job",),
        token=_token_of([failure]),
        wait=True,
    )


def _context(job: Claim | Job) -> dict[str, Any]:
    return {"account_id": job.account_id, "request_id": job.request_id, "args": job.args}


def _token_of(failures: list[Failure]) -> str:
    """The same on a repeat, so that the collector can tell."""
    return str(uuid.uuid5(NAMESPACE, ",".join(f"{failure.job_id}:{failure.attempt}" for failure in failures)))


def _note_told(failures: list[Failure]) -> None:
    failpoints.reach("alerted")
    _note(failures, reported_at=now())


def _note(failures: list[Failure], **values: Any) -> None:
    """One UPDATE. A job that was tried again meanwhile has another number of attempts, or has not failed now."""
    if not failures:
        return
    ids: dict[int, list[str]] = {}  # by attempt: pairs by the thousand would be too deep for PostgreSQL
    for failure in failures:
        ids.setdefault(failure.attempt, []).append(failure.job_id)
    told = or_(*(and_(Job.attempt == number, Job.id.in_(of_attempt)) for number, of_attempt in ids.items()))
    statement = update(Job).where(UNREPORTED, told).values(**values)
    session.execute(statement.execution_options(synchronize_session=False))
    session.commit()
