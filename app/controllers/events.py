"""What guests are invited to: `/api/v1/events`."""

from typing import Any

from flask import Blueprint, Response, g

from app.errors import Conflict
from app.helpers.auth import needs
from app.helpers.declare import gives, lists, raises, takes
from app.helpers.pages import contains, moment
from app.helpers.responses import find, nothing, shown
from app.models import Event
from app.schemas import events as schemas
from app.services import events

bp = Blueprint("events", __name__, url_prefix="/api/v1/events")

EMPTY = {"starts_at": None, "place": None}  # what a PUT leaves out
FILTERS = {
    "starts_before": moment("starts_at__lt"),
    "starts_after": moment("starts_at__gt"),
    "q": contains(Event.name),
}


@bp.get("")
@needs("events:read")
@lists(Event, schemas.shown, FILTERS)
def index(page: Any) -> Response:
    """List one's own events. `q` looks in the name."""
    return page(user_id=g.actor.id)  # type: ignore[no-any-return]


@bp.post("")
@needs("events:write")
@takes(schemas.create)
@gives(201, schemas.shown, "Location", "ETag")
def create(body: dict[str, Any]) -> Response:
    """Create an event."""
    event = events.create(g.actor, body)
    return shown(event, 201, f"/api/v1/events/{event.id}")


@bp.get("/<int:event_id>")
@needs("events:read")
@gives(200, schemas.shown, "ETag")
def show(event_id: int) -> Response:
    """Show an event."""
    return shown(find(Event, event_id))


@bp.put("/<int:event_id>")
@needs("events:write")
@takes(schemas.replace)
@gives(200, schemas.shown, "ETag")
def replace(event_id: int, body: dict[str, Any]) -> Response:
    """Replace an event: what is left out becomes empty."""
    return shown(events.change(find(Event, event_id), EMPTY | body))


@bp.patch("/<int:event_id>")
@needs("events:write")
@takes(schemas.update)
@gives(200, schemas.shown, "ETag")
def update(event_id: int, body: dict[str, Any]) -> Response:
    """Change the named fields of an event."""
    return shown(events.change(find(Event, event_id), body))


@bp.delete("/<int:event_id>")
@needs("events:write")
@gives(204)
@raises(Conflict)
def delete(event_id: int) -> Response:
    """Delete an event with its guests. Tasks and campaigns stay, without it. 409 while one of its campaigns is under
    way."""
    events.delete(find(Event, event_id))
    return nothing()
