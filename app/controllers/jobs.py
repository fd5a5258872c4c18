"""Following slow work: `/api/v1/jobs`."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, g

from app.errors import Conflict, JobNotCancelable
from app.helpers.auth import needs
from app.helpers.declare import gives, lists, raises
from app.helpers.pages import Filter, exactly, moment
from app.helpers.responses import accepted, find, shown
from app.models import Job
from app.models.job import LANES, STATUSES
from app.schemas import jobs as schemas
from app.services import jobs

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
}


@bp.get("")
@needs("jobs:read")
@lists(Job, schemas.shown, FILTERS)
def index(page: Any) -> Response:
    """List one's own jobs; an operator's list has everybody's."""
    return page(**({} if g.actor.is_operator else {"account_id": g.actor.id}))  # type: ignore[no-any-return]


@bp.get("/<uuid:job_id>")
@needs("jobs:read")
@gives(200, schemas.shown, "ETag", "Retry-After")
def show(job_id: UUID) -> Response:
    """Show a job. `Retry-After` is there until it is done."""
    job = find(Job, str(job_id))
    response = shown(job)
    if not job.is_done:
        response.headers["Retry-After"] = "2"
    return response


@bp.post("/<uuid:job_id>/cancel")
@needs("jobs:write")
@gives(202, schemas.shown, "Location", "Retry-After")
@gives(200, schemas.shown)
@raises(JobNotCancelable)
def cancel(job_id: UUID) -> Response:
    """Cancel a job: at once if it waits (200), at its next checkpoint if it runs (202)."""
    job = jobs.cancel(find(Job, str(job_id)))
    return shown(job) if job.is_done else accepted(job)


@bp.post("/<uuid:job_id>/retry")
@needs("jobs:write")
@gives(202, schemas.shown, "Location", "Retry-After")
@raises(Conflict)
def retry(job_id: UUID) -> Response:
    """Queue a failed or canceled job again, under the same id."""
    return accepted(jobs.retry(find(Job, str(job_id))))
