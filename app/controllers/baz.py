"""Worked example: a job, enqueued from a controller."""

from flask import Blueprint, Response

from app.helpers.auth import needs
from app.helpers.declare import gives, takes
from app.helpers.responses import accepted
from app.queue import enqueue
from app.schemas import examples, jobs

bp = Blueprint("baz", __name__, url_prefix="/api/v1/baz")


@bp.post("")
@needs("jobs:write")
@takes(examples.baz)
@gives(202, jobs.shown, "Location", "Retry-After", "Preference-Applied")
@gives(200, jobs.shown, "Location", "Preference-Applied")
def create(body: dict[str, int]) -> Response:
    """Count, in the background."""
    return accepted(enqueue("examples.count", to=body.get("to", 3)))
