"""Campaigns: `/api/v1/campaigns`, and the invitation of all guests of an event, which is one."""

from typing import Any

from flask import Blueprint, Response, g, jsonify

from app.errors import Conflict
from app.helpers.auth import needs
from app.helpers.declare import gives, lists, raises, takes
from app.helpers.pages import contains, exactly, flag, number
from app.helpers.responses import accepted, find, nothing, shown
from app.helpers.validation import parse_moment
from app.models import Campaign, Event
from app.models.campaign import STATUSES
from app.schemas import campaigns as schemas
from app.schemas import jobs
from app.services import campaigns

bp = Blueprint("campaigns", __name__, url_prefix="/api/v1")

EMPTY: dict[str, Any] = {  # what a PUT leaves out
    "description": "",
    "active": True,
    "event_id": None,
    "subject": "",
    "body": "",
    "audience": {},
    "attachment": None,
    "messages_per_minute": None,
    "if_unknown": "leave",
}
FILTERS = {
    "status": exactly("status", *STATUSES),
    "event_id": number("event_id"),
    "active": flag("active"),
    "q": contains(Campaign.name),
}
FOLLOW = ("Location", "Retry-After", "Preference-Applied")


def _locked(campaign_id: int) -> Campaign:
    """The caller's campaign, before a move: nobody else moves it meanwhile."""
    return Campaign.find_for(g.actor, campaign_id, lock=True)


@bp.get("/campaigns")
@needs("campaigns:read")
@lists(Campaign, schemas.item, FILTERS)
def index(page: Any) -> Response:
    """List one's own campaigns. `q` looks in the name."""
    return page(user_id=g.actor.id)  # type: ignore[no-any-return]


@bp.post("/campaigns")
@needs("campaigns:write")
@takes(schemas.create)
@gives(201, schemas.shown, "Location", "ETag")
def create(body: dict[str, Any]) -> Response:
    """Create a campaign, as a draft."""
    campaign = campaigns.create(g.actor, body)
    return shown(campaign, 201, f"/api/v1/campaigns/{campaign.id}")


@bp.get("/campaigns/<int:campaign_id>")
@needs("campaigns:read")
@gives(200, schemas.shown, "ETag")
def show(campaign_id: int) -> Response:
    """Show a campaign, and how many of its messages are in which state."""
    return shown(find(Campaign, campaign_id))


@bp.put("/campaigns/<int:campaign_id>")
@needs("campaigns:write")
@takes(schemas.replace)
@raises(Conflict)
@gives(200, schemas.shown, "ETag")
def replace(campaign_id: int, body: dict[str, Any]) -> Response:
    """Replace a campaign: what is left out becomes empty. Once launched, what it says can't be changed any more."""
    return shown(campaigns.change(g.actor, find(Campaign, campaign_id), EMPTY | body))


@bp.patch("/campaigns/<int:campaign_id>")
@needs("campaigns:write")
@takes(schemas.update)
@raises(Conflict)
@gives(200, schemas.shown, "ETag")
def update(campaign_id: int, body: dict[str, Any]) -> Response:
    """Change the named fields of a campaign: what it says while it is a draft, its speed and name until its end."""
    campaign = find(Campaign, campaign_id)
    if "audience" in body:  # an object in a merge patch is one, too
        merged = campaign.audience | body["audience"]
        body = body | {"audience": {name: value for name, value in merged.items() if value is not None}}
    return shown(campaigns.change(g.actor, campaign, body))


@bp.delete("/campaigns/<int:campaign_id>")
@needs("campaigns:write")
@raises(Conflict)
@gives(204)
def delete(campaign_id: int) -> Response:
    """Delete a campaign, and what is known of its messages. 409 while it is under way: cancel it first."""
    campaigns.delete(find(Campaign, campaign_id))
    return nothing()


@bp.post("/campaigns/<int:campaign_id>/launch")
@needs("campaigns:write")
@takes(schemas.launch, needed=False)
@raises(Conflict)
@gives(202, jobs.shown, *FOLLOW)
@gives(200, schemas.launched_or_checked, "Preference-Applied")
def launch(campaign_id: int, body: dict[str, Any]) -> Response:
    """Send a campaign to its audience, at once or `at` a moment. With `validate_only`, 200 and nothing is done: who
    would get it, and who would not."""
    campaign = _locked(campaign_id)
    if body.get("validate_only"):
        return jsonify(campaigns.check(campaign))
    return accepted(campaigns.launch(campaign, parse_moment(body["at"]) if body.get("at") else None))


@bp.post("/campaigns/<int:campaign_id>/pause")
@needs("campaigns:write")
@raises(Conflict)
@gives(200, schemas.shown, "ETag")
def pause(campaign_id: int) -> Response:
    """Pause a campaign: what is being handed over to the mail server goes out still."""
    return shown(campaigns.pause(_locked(campaign_id)))


@bp.post("/campaigns/<int:campaign_id>/resume")
@needs("campaigns:write")
@raises(Conflict)
@gives(202, jobs.shown, *FOLLOW)
@gives(200, jobs.shown, "Preference-Applied")
def resume(campaign_id: int) -> Response:
    """Go on with a paused campaign."""
    return accepted(campaigns.resume(_locked(campaign_id)))


@bp.post("/campaigns/<int:campaign_id>/cancel")
@needs("campaigns:write")
@raises(Conflict)
@gives(200, schemas.shown, "ETag")
def cancel(campaign_id: int) -> Response:
    """Cancel a campaign: who did not get it by now does not get it."""
    return shown(campaigns.cancel(_locked(campaign_id)))


@bp.post("/campaigns/<int:campaign_id>/retry")
@needs("campaigns:write")
@takes(schemas.retry)
@raises(Conflict)
@gives(202, jobs.shown, *FOLLOW)
@gives(200, jobs.shown, "Preference-Applied")
def retry(campaign_id: int, body: dict[str, Any]) -> Response:
    """Send messages again that failed, or of which nobody knows whether they were sent: these may come twice."""
    return accepted(campaigns.retry(_locked(campaign_id), body["states"]))


@bp.post("/campaigns/<int:campaign_id>/preview")
@needs("campaigns:read")
@takes(schemas.preview, needed=False)
@gives(200, schemas.previewed)
def preview(campaign_id: int, body: dict[str, Any]) -> Response:
    """Show the message as one guest would get it. Its links lead nowhere."""
    return jsonify(campaigns.preview(find(Campaign, campaign_id), body.get("guest_id")))


@bp.post("/events/<int:event_id>/guests/invite")
@needs("events:write")
@raises(Conflict)
@gives(202, jobs.shown, *FOLLOW)
@gives(200, jobs.shown, "Preference-Applied")
def invite(event_id: int) -> Response:
    """Invite all guests of an event who were not invited yet, by a campaign that is launched at once."""
    return accepted(campaigns.invite(Event.find_for(g.actor, event_id, lock=True)))
