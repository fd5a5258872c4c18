"""Answers: their few shapes, and what is on every one of them – the request id and the security headers."""

import hashlib
import logging
import re
import uuid
from datetime import datetime
from typing import Any, TypeVar

from flask import Flask, Response, g, json, jsonify, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.http import http_date

from app import db
from app.errors import PreconditionFailed
from app.helpers import context, waiting
from app.models import Job, Model
from app.models.job import DONE

log = logging.getLogger(__name__)
Row = TypeVar("Row", bound=Model)

REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
SAFE = ("GET", "HEAD", "OPTIONS")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


def find(model: type[Row], row_id: Any) -> Row:
    """The caller's row, or 404. Before a change: locked, and 412 unless it is still what `If-Match` says."""
    changing = request.method not in SAFE and request.method != "POST"
    row = model.find_for(g.actor, row_id, lock=changing)
    if changing and request.if_match and not request.if_match.contains(_etag(jsonify(row.to_details()))):
        raise PreconditionFailed
    return row


def shown(row: Model, status: int = 200, location: str | None = None) -> Response:
    """One resource, as its model shows it – after the last change is written, which sets `updated_at`."""
    db.session.flush()
    response = jsonify(row.to_details())
    response.status_code = status
    response.set_etag(_etag(response))
    if request.method in SAFE:
        response.make_conditional(request)
    if location:
        response.headers["Location"] = location
    return response


def shown_once(response: Response, **secrets: str) -> Response:
    """The same answer with what no later one shows. The ETag stays that of the resource."""
    response.set_data(json.dumps({**(response.get_json() or {}), **secrets}))
    return response


def _etag(response: Response) -> str:
    return hashlib.sha256(response.get_data()).hexdigest()[:32]


def nothing() -> Response:
    """204: done, and there is nothing to show."""
    return Response(status=204)


def accepted(job: Job) -> Response:
    """202: the work will be done; the body is the job, and `Location` is where to follow it.

    `Prefer: wait=N` is heeded after the commit, in `_end`: before it, no worker sees the job.
    """
    response = shown(job, 202, f"/api/v1/jobs/{job.id}")
    response.headers["Retry-After"] = "2"
    response.headers["Vary"] = "Prefer, Accept"
    g.accepted_job_id = job.id
    return response


def deprecated(response: Response, since: datetime, until: datetime, successor: str) -> Response:
    """Marks an answer of an old version: deprecated since (RFC 9745), and when it may go (RFC 8594)."""
    response.headers["Deprecation"] = f"@{int(since.timestamp())}"
    response.headers["Sunset"] = http_date(until)
    response.headers["Link"] = f'<{successor}>; rel="successor-version"'
    return response


def init(app: Flask) -> None:
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_close)


def _begin() -> None:
    given = request.headers.get("X-Request-Id", "")
    request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    context.current.set(context.Context(request_id=request_id))
    db.read_only.set(request.method in SAFE)


def _end(response: Response) -> Response:
    db.settle(response.status_code)
    if response.status_code == 202 and "accepted_job_id" in g:
        _wait_for_end(response, g.accepted_job_id)
    if "waited_seconds" in g:
        response.headers["Preference-Applied"] = f"wait={g.waited_seconds}"
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["X-Request-Id"] = context.get().request_id or ""
    return response


def _wait_for_end(response: Response, job_id: str) -> None:
    """Makes the 202 a 200 with the finished job, if the client waits for it and it finishes in time."""
    db.read_only.set(True)
    try:
        waited = waiting.until(job_id, lambda status: status in DONE)
        job = Job.find(job_id) if waited else None
        if job is None or not job.is_done:
            return
        finished = shown(job)
    except SQLAlchemyError as error:  # the job was accepted, and that is the answer
        log.warning("the end of job %s was not waited for: %s", job_id, type(error).__name__)
        return
    response.status_code = 200
    response.set_data(finished.get_data())
    response.set_etag(_etag(finished))
    del response.headers["Retry-After"]


def _close(_error: Any) -> None:
    db.session.remove()
    db.read_only.set(False)
    context.current.set(context.Context())
