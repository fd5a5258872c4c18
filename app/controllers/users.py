"""Accounts: `/api/v1/user` is the caller's own; `/api/v1/authenticate` gives a token."""

from typing import Any

from flask import Blueprint, Response, g, jsonify

from app.errors import EmailInUse, Unauthenticated
from app.helpers.auth import public
from app.helpers.declare import gives, raises, takes
from app.helpers.responses import shown
from app.helpers.tokens import make_token
from app.models import User
from app.schemas import users as schemas
from app.services import users

bp = Blueprint("users", __name__, url_prefix="/api/v1")


def _with_token(user: User) -> Response:
    return jsonify({"id": user.id, "token": make_token(user)})


@bp.post("/user")
@public
@takes(schemas.sign_up)
@gives(201, schemas.with_token, "Location")
@raises(EmailInUse)
def create(body: dict[str, Any]) -> Response:
    """Sign up. The token is good for every other request."""
    response = _with_token(users.sign_up(**body))
    response.status_code = 201
    response.headers["Location"] = "/api/v1/user"
    return response


@bp.get("/user")
@gives(200, schemas.shown, "ETag")
def show() -> Response:
    """Show one's own account."""
    return shown(g.actor)


@bp.post("/authenticate")
@public
@takes(schemas.authenticate)
@gives(200, schemas.with_token)
@raises(Unauthenticated)
def authenticate(body: dict[str, Any]) -> Response:
    """Sign in: a token for an e-mail address and a password."""
    return _with_token(users.authenticate(**body))
