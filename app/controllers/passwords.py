"""Setting a new password without the old one: `/api/v1/password-reset` mails a code, `…/confirm` takes it."""

from flask import Blueprint, Response, jsonify

from app.helpers.auth import public
from app.helpers.declare import gives, takes
from app.helpers.tokens import make_token
from app.schemas import passwords as schemas
from app.schemas import users as users_schemas
from app.services import passwords

bp = Blueprint("passwords", __name__, url_prefix="/api/v1/password-reset")


@bp.post("")
@public
@takes(schemas.ask)
@gives(202, schemas.accepted)
def create(body: dict[str, str]) -> tuple[Response, int]:
    """Ask for a code to set a new password with. It is mailed if the account exists; the answer never says so."""
    passwords.ask(**body)
    return jsonify({"status": "accepted"}), 202


@bp.post("/confirm")
@public
@takes(schemas.confirm)
@gives(200, users_schemas.with_token)
def confirm(body: dict[str, str]) -> Response:
    """Set a new password with the code that was mailed. Ends all sessions and named tokens, and gives a new token."""
    user = passwords.redeem(**body)
    return jsonify({"id": user.id, "token": make_token(user)})
