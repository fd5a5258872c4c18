"""What has become of a campaign's messages: `/api/v1/campaigns/{id}/recipients`."""

from typing import Any

from flask import Blueprint, Response

from app.helpers.auth import needs
from app.helpers.declare import lists
from app.helpers.pages import exactly
from app.helpers.responses import find
from app.models import Campaign, Recipient
from app.models.recipient import STATES
from app.schemas import campaigns as schemas

bp = Blueprint("recipients", __name__, url_prefix="/api/v1/campaigns/<int:campaign_id>/recipients")

FILTERS = {"state": exactly("state", *STATES)}


@bp.get("")
@needs("campaigns:read")
@lists(Recipient, schemas.recipient, FILTERS, sort="id")
def index(campaign_id: int, page: Any) -> Response:
    """List who gets a campaign, and how far each message is. Empty before the launch."""
    return page(campaign_id=find(Campaign, campaign_id).id)  # type: ignore[no-any-return]
