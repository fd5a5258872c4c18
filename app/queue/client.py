"""`enqueue`: writes a job's row in the caller's own transaction, so the job exists if and only if that commits."""

import os
import time
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from app.db import insert_unless_there, session
from app.helpers import context
from app.models import Job
from app.models.base import NumberedModel, now
from app.models.job import HELD, NEVER, PENDING_WITH_KEY, WAITING
from app.queue import ledger, outbox, registry, turns
from app.queue.registry import BadArguments

Call = tuple[str, dict[str, Any]]  # a job's name and its arguments
LONGEST_KEY = 255  # characters of a unique key, as its column has it


def enqueue(
    name: str,
    /,
    *,
    at: datetime | None = None,
    in_: timedelta | None = None,
    unique: str | None = None,
    target: NumberedModel | None = None,
    after: Iterable[Call] | None = None,
    **args: Any,
) -> Job:
    """Asks for the job `name` with these arguments, now, `at` a moment, or `in_` a while.

    `unique="key"` returns the pending job with that key, if there is one, instead of a second one.
    `target` is the row that the job is about, for those who look for it.
    `after=[("tasks.remind", {…}), …]` is a batch: asks for these jobs, too, and for this one when all of them have
    ended, well or not. Its progress counts them until then, and who cancels it cancels them.
    Raises UnknownJob or BadArguments.
    """
    _check_options(at, in_, unique)
    batch = None if after is None else [_row(child, child_args) for child, child_args in after]
    moment = now()
    run_at = NEVER if batch else at or (moment + in_ if in_ else moment)
    values = _row(name, args) | {
        "status": "scheduled" if run_at > moment else "queued",
        "unique_key": unique,
        "run_at": run_at,
        "scheduled_at": run_at if at or in_ else None,
        **_target(target),
    }
    job, is_new = (_insert(values), True) if unique is None else _insert_or_find(values)
    if batch and is_new:
        _insert_batch(job, batch)
    elif is_new or not batch:
        outbox.ring_after_commit(job)
    return job


def hasten(job_id: str) -> bool:
    """A scheduled job is due now. False if it is not scheduled, or waits for a batch."""
    if not ledger.hasten(job_id):
        return False
    outbox.ring_after_commit(session.get_one(Job, job_id, populate_existing=True))
    return True


def _check_options(at: datetime | None, in_: timedelta | None, unique: str | None) -> None:
    if at is not None and in_ is not None:
        raise BadArguments("`at` and `in_` exclude each other")
    if at is not None and at.tzinfo is None:
        raise BadArguments("`at` needs a time zone: datetime.now(UTC), not datetime.now()")
    if in_ is not None and in_ < timedelta(0):
        raise BadArguments("`in_` is negative: a job can't be due before it is asked for")
    if unique is not None and not 0 < len(unique) <= LONGEST_KEY:
        raise BadArguments(f"`unique` must have 1 to {LONGEST_KEY} characters")


def _row(name: str, args: dict[str, Any]) -> dict[str, Any]:
    """The columns of a job that may run now."""
    kind = registry.find(name)
    kind.check(args)
    asker = context.get()
    return {
        "id": new_id(),
        "type": kind.name,
        "queue": kind.queue,
        "status": "queued",
        "args": args,
        "max_attempts": kind.max_attempts,
        "run_at": now(),
        "account_id": asker.account_id,
        "request_id": asker.request_id,
        **turns.share_of(kind, args, asker.account_id),
    }


def _target(row: NumberedModel | None) -> dict[str, Any]:
    return {"target_type": row.__class__.__name__.lower(), "target_id": row.id} if row else {}


def _insert(values: dict[str, Any]) -> Job:
    job = Job(**values)
    session.add(job)
    session.flush()
    return job


def _insert_or_find(values: dict[str, Any]) -> tuple[Job, bool]:
    """The job, and whether it is new. The partial unique index decides between several that ask at once."""
    insert = insert_unless_there(Job, index_elements=["unique_key"], index_where=PENDING_WITH_KEY).values(**values)
    pending = select(Job).where(Job.unique_key == values["unique_key"], Job.status.in_(WAITING + HELD))
    while True:
        if session.execute(insert.returning(Job.id)).one_or_none() is not None:
            return session.get_one(Job, values["id"]), True
        found = session.scalars(pending).one_or_none()
        if found is not None:
            return found, False  # else it finished between the two statements: the key is free again


def _insert_batch(job: Job, rows: list[dict[str, Any]]) -> None:
    """The jobs that `job` waits for; a trigger counts their ends, whoever brings them about."""
    job.batch_left = job.progress_total = len(rows)
    children = [Job(**row, batch_id=job.id) for row in rows]
    session.add_all(children)
    session.flush()
    for child in children:
        outbox.ring_after_commit(child)


def new_id() -> str:
    """A UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then random bits; ids sort by age."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))
