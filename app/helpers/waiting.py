"""`Prefer: wait=N` (RFC 7240): the answer waits for the job to move, in a thread that holds nothing of the database."""

from collections.abc import Callable

from flask import Flask, current_app, g, request
from sqlalchemy import select

from app.db import session
from app.helpers.doors import WAIT
from app.models import Job

LONGEST_SECONDS = 30

Look = Callable[[], bool]
Wait = Callable[[Look, str, float], bool | None]


def init(app: Flask, wait: Wait) -> None:
    """`wait` is the queue's, which nothing in here may import."""
    app.extensions["accepted.wait"] = wait


def until(job_id: str, enough: Callable[[str], bool]) -> bool:
    """Waits as long as the client wants to, or until the job's status is `enough`. Ends the transaction: whatever was
    read before may be stale. False, at once, if the client does not want to, or too many wait already."""
    found = WAIT.search(request.headers.get("Prefer", ""))
    if found is None:
        return False
    seconds = min(int(found[1]), LONGEST_SECONDS)

    def look() -> bool:
        status = session.scalar(select(Job.status).where(Job.id == job_id))
        return status is None or enough(status)

    wait: Wait = current_app.extensions["accepted.wait"]
    if wait(look, job_id, seconds) is None:
        return False
    g.waited_seconds = seconds
    return True
