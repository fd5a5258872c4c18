"""`/campaigns/`, `/campaigns/<id>`: name, description, and whether it is active."""

import re
from typing import Any

from flask import Response, g, jsonify
from sqlalchemy import select

from app.controllers.v0 import blueprint
from app.db import session
from app.errors import ValidationFailed
from app.helpers.auth import needs
from app.helpers.declare import gives, raises, takes
from app.helpers.responses import find
from app.models import Campaign
from app.schemas import campaigns as schemas
from app.services import campaigns

bp = blueprint("campaigns", successor="/api/v1/campaigns", url_prefix="/campaigns")


def _shape(campaign: Campaign) -> dict[str, Any]:
    return {
        "id": campaign.id,
        "name": campaign.name,
        "description": campaign.description,
        "is_active": campaign.active,
    }


def _number(text: str) -> int:
    """422, in this version, for what is no whole number."""
    if not re.fullmatch("-?[0-9]+", text):
        raise ValidationFailed("The id of a campaign is a whole number.")
    return int(text) if len(text) < 20 else 0  # which no row has


@bp.get("/", strict_slashes=False)
@needs("campaigns:read")
@gives(200, schemas.v0_list)
def index() -> Response:
    """List one's own campaigns."""
    rows = session.scalars(select(Campaign).where(Campaign.visible_to(g.actor)).order_by(Campaign.id))
    return jsonify([_shape(campaign) for campaign in rows])


@bp.post("/", strict_slashes=False)
@needs("campaigns:write")
@takes(schemas.v0_create)
@gives(201, schemas.v0_shown)
def create(body: dict[str, Any]) -> tuple[Response, int]:
    """Create a campaign."""
    fields = {"name": body["name"], "description": body.get("description", ""), "active": body.get("is_active", True)}
    return jsonify(_shape(campaigns.create(g.actor, fields))), 201


@bp.get("/<campaign_id>")
@needs("campaigns:read")
@raises(ValidationFailed)
@gives(200, schemas.v0_shown)
def show(campaign_id: str) -> Response:
    """Show a campaign."""
    return jsonify(_shape(find(Campaign, _number(campaign_id))))
