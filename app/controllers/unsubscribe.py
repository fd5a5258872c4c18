"""The way out of campaigns, `/unsubscribe/<token>`, for whoever got one; and for mail programs (RFC 8058)."""

from typing import Any

from flask import Blueprint, Response, jsonify, render_template

from app.helpers import html
from app.helpers.auth import public
from app.helpers.declare import gives, takes_form
from app.schemas import unsubscriptions as schemas
from app.services import unsubscriptions
from app.services.unsubscriptions import Address

bp = Blueprint("unsubscribe", __name__, url_prefix="/unsubscribe")


@bp.get("/<token>")
@public
@gives(200, media_type="text/html")
@gives(200, schemas.shown)
def show(token: str) -> Response:
    """Show whether an address gets an account's campaigns: a page for browsers, JSON for others."""
    return _shown(unsubscriptions.find(token))


@bp.post("/<token>")
@public
@takes_form(schemas.given)
@gives(200, media_type="text/html")
@gives(200, schemas.shown)
def answer(token: str, body: dict[str, Any]) -> Response:
    """Get no more campaigns. Whatever the form says, that is what is meant; only `answer=subscribe` takes it back."""
    if body.get("answer") == "subscribe":
        return _shown(unsubscriptions.subscribe(token), is_new=True)
    return _shown(unsubscriptions.unsubscribe(token))


def _shown(address: Address, *, is_new: bool = False) -> Response:
    if html.is_wanted():
        return Response(render_template("unsubscribe.html", **address._asdict(), is_new=is_new))
    return jsonify({"email": address.email_key, "subscribed": address.is_subscribed})
