"""Following slow work: `/api/v1/jobs`."""

from flask import Blueprint, Response, g

from app.helpers.pages import exactly, moment, page
from app.helpers.responses import accepted, shown
from app.models import Job
from app.services import jobs

bp = Blueprint("jobs", __name__, url_prefix="/api/v1/jobs")


def _target(text: str) -> dict[str, object]:
    """`task:7`"""
    kind, number = text.split(":")
    return {"target_type": kind, "target_id": int(number)}


FILTERS = {name: exactly(name) for name in ("type", "status", "queue", "request_id")} | {
    "target": _target,
    "created_after": moment("created_at__gt"),
    "created_before": moment("created_at__lt"),
}


@bp.get("")
def index() -> Response:
    return page(Job, {"account_id": g.actor.id}, FILTERS)


@bp.get("/<uuid:job_id>")
def show(job_id: object) -> Response:
    job = Job.find_for(g.actor, str(job_id))
    response = shown(job)
    if not job.is_done:
        response.headers["Retry-After"] = "2"
    return response


@bp.post("/<uuid:job_id>/cancel")
def cancel(job_id: object) -> Response:
    job = jobs.cancel(Job.find_for(g.actor, str(job_id)))
    return shown(job) if job.is_done else accepted(job)


@bp.post("/<uuid:job_id>/retry")
def retry(job_id: object) -> Response:
    return accepted(jobs.retry(Job.find_for(g.actor, str(job_id))))
