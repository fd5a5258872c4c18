"""`enqueue`: writes a job's row in the caller's own transaction, so the job exists if and only if that commits."""

import os
import time
import uuid
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from app.db import insert_unless_there, session
from app.helpers import context
from app.models import Job
from app.models.base import NumberedModel, now
from app.models.job import HELD, PENDING_WITH_KEY, WAITING
from app.queue import outbox, registry
from app.queue.registry import BadArguments

LONGEST_KEY = 255  # characters of a unique key, as its column has it


def enqueue(
    name: str,
    *,
    at: datetime | None = None,
    in_: timedelta | None = None,
    unique: str | None = None,
    target: NumberedModel | None = None,
    **args: Any,
) -> Job:
    """Asks for the job `name` with these arguments, now, `at` a moment, or `in_` a while.

    `unique="key"` returns the pending job with that key, if there is one, instead of a second one.
    `target` is the row that the job is about, for those who look for it. Raises UnknownJob or BadArguments.
    """
    kind = registry.find(name)
    kind.check(args)
    _check_options(at, in_, unique)
    moment = now()
    run_at = at or (moment + in_ if in_ else moment)
    values: dict[str, Any] = {
        "id": new_id(),
        "type": kind.name,
        "queue": kind.queue,
        "status": "scheduled" if run_at > moment else "queued",
        "args": args,
        "unique_key": unique,
        "max_attempts": kind.max_attempts,
        "run_at": run_at,
        "scheduled_at": run_at if at or in_ else None,
        **_asker(),
        **_target(target),
    }
    job = _insert(values) if unique is None else _insert_or_find(values)
    outbox.ring_after_commit(job)
    return job


def _check_options(at: datetime | None, in_: timedelta | None, unique: str | None) -> None:
    if at is not None and in_ is not None:
        raise BadArguments("`at` and `in_` exclude each other")
    if at is not None and at.tzinfo is None:
        raise BadArguments("`at` needs a time zone: datetime.now(UTC), not datetime.now()")
    if in_ is not None and in_ < timedelta(0):
        raise BadArguments("`in_` is negative: a job can't be due before it is asked for")
    if unique is not None and not 0 < len(unique) <= LONGEST_KEY:
        raise BadArguments(f"`unique` must have 1 to {LONGEST_KEY} characters")


def _asker() -> dict[str, Any]:
    return {"account_id": context.get().account_id, "request_id": context.get().request_id}


def _target(row: NumberedModel | None) -> dict[str, Any]:
    return {"target_type": row.__class__.__name__.lower(), "target_id": row.id} if row else {}


def _insert(values: dict[str, Any]) -> Job:
    job = Job(**values)
    session.add(job)
    session.flush()
    return job


def _insert_or_find(values: dict[str, Any]) -> Job:
    """The partial unique index decides between several that ask at once."""
    insert = insert_unless_there(Job, index_elements=["unique_key"], index_where=PENDING_WITH_KEY).values(**values)
    pending = select(Job).where(Job.unique_key == values["unique_key"], Job.status.in_(WAITING + HELD))
    while True:
        if session.execute(insert.returning(Job.id)).one_or_none() is not None:
            return session.get_one(Job, values["id"])
        found = session.scalars(pending).one_or_none()
        if found is not None:
            return found  # else it finished between the two statements: the key is free again


def new_id() -> str:
    """A UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then random bits; ids sort by age."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))
