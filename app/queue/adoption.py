"""What a worker popped, against the ledger: usually a job that waits there. Two other cases come from RQ's own tools:
a failed job that an operator requeued, and a job that was enqueued with plain RQ and has no row yet."""

import uuid

from rq.exceptions import DeserializationError
from rq.job import Job as RqJob
from rq.job import JobStatus

from app.db import session
from app.models import Job
from app.models.base import now
from app.queue import claims, doorbell, registry, reports, turns


def claim(record: RqJob, worker: str) -> claims.Claim | None:
    """A claim on the job, or None: nothing to do. Commits."""
    job_id = _uuid(record.id)
    try:
        found = claims.claim(job_id, worker)
        if found is None and _bring_in(record, job_id):
            found = claims.claim(job_id, worker)
        session.commit()
    finally:
        session.remove()  # should Redis go in between: a worker that waits for it must not hold SQLite's lock
    return found


def _uuid(rq_id: str) -> str:
    """The ledger's id for an id of RQ's: the same, where it is a UUID; else one that follows from it."""
    try:
        return str(uuid.UUID(rq_id))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, rq_id))


def _bring_in(record: RqJob, job_id: str) -> bool:
    """True if the job waits in the ledger now. A job that only was rung twice does not."""
    row = Job.find(job_id)
    if row is not None:
        session.expunge(row)
        session.rollback()  # nor keep others waiting while it asks Redis
        if row.status == "failed" and _is_requeued(record, row):
            return reports.start_again(session.get_one(Job, job_id))
        if row.is_done:
            doorbell.correct(record, row)
        return False
    kind = _type_of(record)
    if kind is None or doorbell.OURS in record.meta:  # what the ledger has forgotten does not come back from Redis
        return False
    args = dict(kind.signature.bind(*record.args, **record.kwargs).arguments)
    kind.check(args)
    session.add(
        Job(
            id=job_id,
            type=kind.name,
            queue=record.origin if record.origin in ("high", "default", "low") else kind.queue,
            status="queued",
            args=args,
            max_attempts=kind.max_attempts,
            run_at=now(),
            **turns.share_of(kind, args, None),
        )
    )
    session.flush()
    return True


def _is_requeued(record: RqJob, row: Job) -> bool:
    """Not so if the job was only rung once more, by a process that was stopped between its commit and its ring: then
    the record is a new one, without the mark of that failure."""
    is_marked = bool(record.meta.get(doorbell.FAILED) == row.attempt)
    return is_marked and record.get_status(refresh=True) == JobStatus.QUEUED


def _type_of(record: RqJob) -> registry.JobType | None:
    """The registered job that this record names, by its short name or the dotted path of its function."""
    try:
        name = record.func_name or ""
    except DeserializationError:
        return None
    return registry.by_path(name)
