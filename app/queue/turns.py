"""Whose turn it is. The jobs of one *share* wait in one line – an account's, as a rule – and the shares take turns, so
that nobody's hundred thousand jobs stand before somebody else's first. A share may also say how many of its jobs run
at the same time."""

import hashlib
import json
import logging
from collections import Counter
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, func, or_, select, text
from sqlalchemy.exc import SQLAlchemyError

from app.db import read_only, session
from app.models import Job
from app.models.base import UtcDateTime, now
from app.models.job import HELD
from app.queue import doorbell
from app.queue.registry import JobType

log = logging.getLogger(__name__)

MOST_SHARES = 200  # that one look considers; the next look goes on after them
LONGEST_SHARE = 255  # characters
BACKLOG = 8  # jobs in Redis before an account's first one; with fewer, whose turn it is makes no difference

# Jumps from one share to the next in `ix_jobs_ready`, however many jobs each has.
SHARES = text("""
    WITH RECURSIVE line(share) AS (
        SELECT min(share) FROM jobs WHERE status = 'queued' AND queue = :queue AND share > :last
        UNION ALL
        SELECT (SELECT min(share) FROM jobs WHERE status = 'queued' AND queue = :queue AND share > line.share)
        FROM line WHERE line.share IS NOT NULL
    ) SELECT share FROM line WHERE share IS NOT NULL LIMIT :most
""")
HEAD = """SELECT id, share, run_at, at_once FROM jobs WHERE status = 'queued' AND queue = :queue
    AND share = line.value AND run_at <= :moment ORDER BY run_at, id LIMIT :each"""
HEADS = {  # the first jobs of each share; the two databases have no common word for it
    "postgresql": f"""SELECT head.* FROM json_array_elements_text(CAST(:shares AS json)) AS line(value)
        CROSS JOIN LATERAL ({HEAD}) AS head""",  # noqa: S608  # our own words
    "sqlite": f"""SELECT head.id, head.share, head.run_at, head.at_once FROM json_each(:shares) AS line
        CROSS JOIN jobs AS head WHERE head.id IN (SELECT id FROM ({HEAD}))""",  # noqa: S608
}

_last: dict[str, str] = {}  # by queue, where the latest look ended, if it could not consider all shares


def share_of(kind: JobType, args: dict[str, Any], account_id: int | None) -> dict[str, Any]:
    """The columns `share` and `at_once` of a new job: its account's, or those of the limit that its kind has."""
    if kind.at_once is None:
        return {"share": "" if account_id is None else str(account_id), "at_once": None}
    share = kind.name
    if kind.per is not None:
        bound = kind.signature.bind(**args)
        bound.apply_defaults()
        share += ":" + json.dumps(bound.arguments[kind.per])
    if len(share) > LONGEST_SHARE:
        share = f"{kind.name}:{hashlib.sha256(share.encode()).hexdigest()}"
    return {"share": share, "at_once": kind.at_once}


def first_of_their_share(rings: list[doorbell.Ring]) -> list[doorbell.Ring]:
    """Those behind a backlog whose share has nothing else there: their turn is now. Called after the commit, so it asks
    on a connection of its own."""
    moment = now()
    ready = [ring for ring in rings if ring.run_at <= moment and doorbell.backlog(ring.queue) > BACKLOG]
    lines = {(ring.queue, ring.share): ring for ring in reversed(ready)}
    if not lines:
        return []
    token = read_only.set(True)
    try:
        with session.get_bind().connect() as connection:  # type: ignore[union-attr]
            return [replace(ring, first=True) for ring in lines.values() if _is_alone(connection, ring)]
    except SQLAlchemyError as error:  # the job is safe; its turn comes at the relay's next look
        log.warning("whose turn it is could not be asked: %s", error)
        return []
    finally:
        read_only.reset(token)


def _is_alone(connection: Connection, ring: doorbell.Ring) -> bool:
    same = (Job.status == "queued", Job.queue == ring.queue, Job.share == ring.share)
    before = or_(Job.run_at < ring.run_at, and_(Job.run_at == ring.run_at, Job.id < ring.id))
    return connection.scalar(select(Job.id).where(*same, before).limit(1)) is None


def next_in_line(queue: str, most: int) -> list[str]:
    """The ids of the jobs that run next, in order: each share's first, then each share's second, and so on. What it
    costs does not grow with the number of jobs that wait."""
    shares = _shares(queue)
    if not shares:
        return []
    heads = _heads(queue, shares, max(2, 2 * most // len(shares)))
    running = _running({head.share for head in heads if head.at_once is not None})
    places: Counter[str] = Counter()
    found = []
    for head in heads:
        place = places[head.share]
        places[head.share] += 1
        if head.at_once is None or place < head.at_once - running[head.share]:
            found.append((place, head.run_at, head.id))
    return [job_id for _, _, job_id in sorted(found)[:most]]


def _shares(queue: str) -> list[str]:
    last = _last.pop(queue, "")
    shares = _shares_after(queue, last)
    if last and len(shares) < MOST_SHARES:
        shares += [share for share in _shares_after(queue, "") if share not in shares]
    if len(shares) >= MOST_SHARES:
        _last[queue] = shares[MOST_SHARES - 1]
    return shares[:MOST_SHARES]


def _shares_after(queue: str, last: str) -> list[str]:
    """Those after `last`; system jobs, whose share is "", come before all."""
    named = {"queue": queue, "last": last, "most": MOST_SHARES}
    shares = list(session.execute(SHARES, named).scalars())
    return shares if last else ["", *shares]


def _heads(queue: str, shares: list[str], each: int) -> list[Row[Any]]:
    """The first `each` jobs of every share, in order within it."""
    statement = text(HEADS[session.get_bind().dialect.name]).bindparams(bindparam("moment", type_=UtcDateTime()))
    typed = statement.columns(Job.id, Job.share, Job.run_at, Job.at_once)
    named = {"queue": queue, "shares": json.dumps(shares), "moment": now(), "each": each}
    return sorted(session.execute(typed, named), key=lambda head: (head.run_at, head.id))


def _running(shares: set[str]) -> Counter[str]:
    """How many jobs of these shares run."""
    if not shares:
        return Counter()
    held = select(Job.share, func.count()).where(Job.status.in_(HELD), Job.share.in_(shares)).group_by(Job.share)
    return Counter(dict(session.execute(held).all()))


def call_next(share: str, queue: str) -> None:
    """A job of a share with a limit has ended: the next may run, and need not wait for the relay's look."""
    following = select(Job).where(Job.status == "queued", Job.queue == queue, Job.share == share, Job.run_at <= now())
    job = session.scalars(following.order_by(Job.run_at, Job.id).limit(1)).first()
    if job is not None:
        doorbell.try_to_ring([doorbell.Ring.of(job, first=True)])
    session.rollback()
