"""Invitations: the guest's own page, `/invitations/<token>`; and mailing its link, and taking it back."""

from flask import Blueprint, Response, jsonify, render_template, request, url_for

from app.errors import Conflict
from app.helpers import html
from app.helpers.auth import needs, public
from app.helpers.declare import gives, raises, takes_form
from app.helpers.responses import accepted, find, nothing
from app.models import Guest
from app.models.base import rfc3339
from app.schemas import invitations as schemas
from app.schemas import jobs as jobs_schemas
from app.services import invitations, messages

bp = Blueprint("invitations", __name__)


@bp.get("/invitations/<token>")
@public
@gives(200, media_type="text/html")
@gives(200, schemas.shown)
def show(token: str) -> Response:
    """Show a guest's invitation: a page for browsers, JSON for others."""
    return _shown(invitations.find(token))


@bp.post("/invitations/<token>")
@public
@takes_form(schemas.given)
@raises(Conflict)
@gives(303, None, "Location")
@gives(200, schemas.shown)
def answer(token: str, body: dict[str, str]) -> Response:
    """Accept or decline, and change one's mind until the event begins. A form is answered with 303."""
    guest = invitations.answer(token, body["answer"])
    if request.is_json:
        return _shown(guest)
    return Response(status=303, headers={"Location": url_for(".show", token=token)})


@bp.post("/api/v1/guests/<int:guest_id>/invite")
@needs("events:write")
@raises(Conflict)
@gives(202, jobs_schemas.shown, "Location", "Retry-After", "Preference-Applied")
@gives(200, jobs_schemas.shown, "Location", "Preference-Applied")
def invite(guest_id: int) -> Response:
    """Mail a guest the link to the invitation; once more, if it was mailed before."""
    return accepted(invitations.invite(find(Guest, guest_id)))


@bp.delete("/api/v1/guests/<int:guest_id>/invitation")
@needs("events:write")
@gives(204)
def delete(guest_id: int) -> Response:
    """Take back the links that were mailed to a guest. What was answered stays."""
    find(Guest, guest_id).take_back_links()
    return nothing()


def _shown(guest: Guest) -> Response:
    event = guest.event
    invitation = {
        "event": {"name": event.name, "starts_at": rfc3339(event.starts_at), "place": event.place},
        "guest": {"name": guest.name, "status": guest.status, "answered_at": rfc3339(guest.answered_at)},
        "open": not event.has_started,
    }
    if html.is_wanted():
        return Response(render_template("invitation.html", **invitation, when=messages.readable(event.starts_at)))
    return jsonify(invitation)
