"""The guests of an event as a file: `/api/v1/events/{id}/guests/import` and `…/export`."""

from typing import Any

from flask import Blueprint, Response, g

from app.helpers.auth import needs
from app.helpers.declare import gives, takes
from app.helpers.responses import accepted, find
from app.models import Event
from app.schemas import guest_lists as schemas
from app.schemas import jobs
from app.services import guest_lists

bp = Blueprint("guest_lists", __name__, url_prefix="/api/v1/events/<int:event_id>/guests")


@bp.post("/import")
@needs("events:write")
@takes(schemas.read)
@gives(202, jobs.shown, "Location", "Retry-After", "Preference-Applied")
@gives(200, jobs.shown, "Location", "Preference-Applied")
def read(event_id: int, body: dict[str, Any]) -> Response:
    """Import guests from an uploaded table (CSV) with the column `email`, and perhaps `name` and `role`.

    Who is a guest already stays as he is. The job's result counts the `added`, `unchanged` and `refused` rows; the
    `report` is a file that says what is wrong with the refused ones.
    """
    return accepted(guest_lists.read(find(Event, event_id), g.actor, body["file"]))


@bp.post("/export")
@needs("events:write")
@gives(202, jobs.shown, "Location", "Retry-After", "Preference-Applied")
@gives(200, jobs.shown, "Location", "Preference-Applied")
def write(event_id: int) -> Response:
    """Export the guests of an event: the result is a file (CSV)."""
    return accepted(guest_lists.write(find(Event, event_id)))
