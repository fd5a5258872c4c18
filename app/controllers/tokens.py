"""Named tokens of the caller's own, for scripts: `/api/v1/user/tokens`."""

from typing import Any

from flask import Blueprint, Response, g

from app.helpers.auth import SIGN_IN, needs
from app.helpers.declare import gives, lists, takes
from app.helpers.responses import find, nothing, shown, shown_once
from app.models import ApiToken
from app.schemas import tokens as schemas
from app.services import tokens

bp = Blueprint("tokens", __name__, url_prefix="/api/v1/user/tokens")


@bp.get("")
@needs("user:read")
@lists(ApiToken, schemas.shown, {})
def index(page: Any) -> Response:
    """List one's own named tokens, without their secrets."""
    return page(user_id=g.actor.id)  # type: ignore[no-any-return]


@bp.post("")
@needs(SIGN_IN)
@takes(schemas.create)
@gives(201, schemas.created, "Location", "ETag")
def create(body: dict[str, Any]) -> Response:
    """Make a named token with scopes. The answer alone shows its secret, `token`. No named token can make another."""
    token, secret = tokens.create(g.actor, body)
    return shown_once(shown(token, 201, f"/api/v1/user/tokens/{token.id}"), token=secret)


@bp.get("/<int:token_id>")
@needs("user:read")
@gives(200, schemas.shown, "ETag")
def show(token_id: int) -> Response:
    """Show a named token, without its secret."""
    return shown(find(ApiToken, token_id))


@bp.delete("/<int:token_id>")
@needs("user:write")
@gives(204)
def delete(token_id: int) -> Response:
    """Delete a named token: it ends at once."""
    find(ApiToken, token_id).delete()
    return nothing()
