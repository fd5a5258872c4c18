"""Who is, or will be, invited: `/api/v1/events/{id}/guests` and `/api/v1/guests/{id}`."""

from typing import Any

from flask import Blueprint, Response

from app.errors import GuestExists
from app.helpers.auth import needs
from app.helpers.declare import gives, lists, raises, takes
from app.helpers.pages import contains, exactly
from app.helpers.responses import find, nothing, shown
from app.models import Event, Guest
from app.models.guest import STATUSES
from app.schemas import guests as schemas
from app.services import guests

bp = Blueprint("guests", __name__, url_prefix="/api/v1")

EMPTY = {"name": "", "role": "guest"}  # what a PUT leaves out; the status stays
FILTERS = {
    "status": exactly("status", *STATUSES),
    "role": exactly("role"),
    "q": contains(Guest.name, Guest.email),
}


@bp.get("/events/<int:event_id>/guests")
@needs("events:read")
@lists(Guest, schemas.shown, FILTERS)
def index(event_id: int, page: Any) -> Response:
    """List the guests of an event. `q` looks in name and e-mail address."""
    return page(event_id=find(Event, event_id).id)  # type: ignore[no-any-return]


@bp.post("/events/<int:event_id>/guests")
@needs("events:write")
@takes(schemas.create)
@gives(201, schemas.shown, "Location", "ETag")
@raises(GuestExists)
def create(event_id: int, body: dict[str, Any]) -> Response:
    """Add a guest to an event. Nothing is sent; 409 if the event has a guest with this address."""
    guest = guests.add(find(Event, event_id), body)
    return shown(guest, 201, f"/api/v1/guests/{guest.id}")


@bp.get("/guests/<int:guest_id>")
@needs("events:read")
@gives(200, schemas.shown, "ETag")
def show(guest_id: int) -> Response:
    """Show a guest."""
    return shown(find(Guest, guest_id))


@bp.put("/guests/<int:guest_id>")
@needs("events:write")
@takes(schemas.replace)
@gives(200, schemas.shown, "ETag")
@raises(GuestExists)
def replace(guest_id: int, body: dict[str, Any]) -> Response:
    """Replace a guest: what is left out becomes empty, but for the status. Another address ends the link that was
    sent."""
    return shown(guests.change(find(Guest, guest_id), EMPTY | body))


@bp.patch("/guests/<int:guest_id>")
@needs("events:write")
@takes(schemas.update)
@gives(200, schemas.shown, "ETag")
@raises(GuestExists)
def update(guest_id: int, body: dict[str, Any]) -> Response:
    """Change the named fields of a guest, or note the answer that came by telephone. Another address ends the link
    that was sent."""
    return shown(guests.change(find(Guest, guest_id), body))


@bp.delete("/guests/<int:guest_id>")
@needs("events:write")
@gives(204)
def delete(guest_id: int) -> Response:
    """Delete a guest. The link to the invitation ends, and messages that are not sent yet are not."""
    find(Guest, guest_id).delete()
    return nothing()
