"""Following slow work: `/api/v1/jobs`."""

import re
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, g, request

from app.errors import Conflict, JobCanceled, JobExpired, JobFailed, JobNotCancelable, JobNotFinished
from app.helpers import waiting
from app.helpers.auth import needs
from app.helpers.declare import gives, lists, raises
from app.helpers.pages import Filter, contains, exactly, moment
from app.helpers.problems import stored
from app.helpers.responses import accepted, find, nothing, shown
from app.models import Job
from app.models.job import DONE, LANES, STATUSES
from app.schemas import jobs as schemas
from app.services import job_events, jobs

bp = Blueprint("jobs", __name__, url_prefix="/api/v1/jobs")


def _target(text: str) -> dict[str, object]:
    kind, number = text.split(":")
    if not 0 < int(number) < 2**63:
        raise ValueError(text)
    return {"target_type": kind, "target_id": int(number)}


FILTERS = {
    "type": exactly("type"),
    "status": exactly("status", *STATUSES),
    "queue": exactly("queue", *LANES),
    "request_id": exactly("request_id"),
    "target": Filter(_target, {"type": "string", "pattern": "^[a-z]{1,32}:[1-9][0-9]{0,17}$", "examples": ["task:7"]}),
    "created_after": moment("created_at__gt"),
    "created_before": moment("created_at__lt"),
    "q": contains(Job.type, Job.request_id, Job.progress_message),
}


def _job(job_id: UUID) -> Job:
    """The caller's job, or 404, or 410."""
    job = find(Job, str(job_id))
    if job.is_expired:
        raise JobExpired
    return job


@bp.get("")
@needs("jobs:read")
@lists(Job, schemas.shown, FILTERS)
def index(page: Any) -> Response:
    """List one's own jobs; an operator's list has everybody's. `q` looks in type, request id and progress message."""
    return page(Job.is_kept(), **({} if g.actor.is_operator else {"account_id": g.actor.id}))  # type: ignore[no-any-return]


@bp.get("/<uuid:job_id>")
@needs("jobs:read")
@gives(200, schemas.shown, "ETag", "Retry-After", "Preference-Applied")
@raises(JobExpired)
def show(job_id: UUID) -> Response:
    """Show a job. `Retry-After` is there until it is done; `Prefer: wait=N` waits for its status to change."""
    job = _job(job_id)
    seen = job.status
    if waiting.until(job.id, lambda status: status != seen or status in DONE):
        job = _job(job_id)
    response = shown(job)
    if not job.is_done:
        response.headers["Retry-After"] = "2"
    return response


@bp.post("/<uuid:job_id>/cancel")
@needs("jobs:write")
@gives(202, schemas.shown, "Location", "Retry-After", "Preference-Applied")
@gives(200, schemas.shown, "Preference-Applied")
@raises(JobNotCancelable, JobExpired)
def cancel(job_id: UUID) -> Response:
    """Cancel a job: at once if it waits (200), at its next checkpoint if it runs (202)."""
    job = jobs.cancel(_job(job_id))
    return shown(job) if job.is_done else accepted(job)


@bp.post("/<uuid:job_id>/retry")
@needs("jobs:write")
@gives(202, schemas.shown, "Location", "Retry-After", "Preference-Applied")
@gives(200, schemas.shown, "Preference-Applied")
@raises(Conflict, JobExpired)
def retry(job_id: UUID) -> Response:
    """Queue a failed or canceled job again, under the same id."""
    return accepted(jobs.retry(_job(job_id)))


@bp.get("/<uuid:job_id>/result")
@needs("jobs:read")
@gives(303, None, "Location")
@raises(JobNotFinished, JobCanceled, JobFailed, JobExpired)
def result(job_id: UUID) -> Response:
    """Go to the result: to the resource that it names as its `href`, or else to the job itself, which holds it.

    What failed or was canceled answers with its problem, in the problem's own status.
    """
    job = _job(job_id)
    if not job.is_done:
        raise JobNotFinished(headers={"Retry-After": "2"})
    return stored(job.error) if job.error else Response(status=303, headers={"Location": job.result_href})


@bp.delete("/<uuid:job_id>")
@needs("jobs:write")
@gives(204)
@raises(JobNotFinished, Conflict, JobExpired)
def delete(job_id: UUID) -> Response:
    """Forget a finished job, for good."""
    jobs.forget(_job(job_id))
    return nothing()


@bp.get("/<uuid:job_id>/events")
@needs("jobs:read")
@gives(200, None, media_type="text/event-stream")
@gives(204)
@raises(JobExpired)
def events(job_id: UUID) -> Response:
    """Stream what happens to a job, from its beginning or after `Last-Event-ID` (Server-Sent Events).

    `event: done` is the last one; asking for more after it is answered with 204.
    """
    job, last = _job(job_id), request.headers.get("Last-Event-ID", "")
    seq = int(last) if re.fullmatch("[0-9]{1,9}", last) else 0
    if job_events.is_over(job, seq):
        return nothing()
    headers = {"X-Accel-Buffering": "no"}  # nginx would keep the events to itself
    return Response(job_events.stream(job.id, seq), content_type="text/event-stream", headers=headers)
