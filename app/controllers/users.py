"""Accounts: `/api/v1/user` is the caller's own; `/api/v1/authenticate` gives a token."""

from typing import Any

from flask import Blueprint, Response, g, jsonify

from app.errors import EmailInUse, Forbidden, NotFound, PreconditionFailed, Unauthenticated
from app.helpers.auth import needs, public
from app.helpers.declare import gives, raises, takes
from app.helpers.responses import find, nothing, shown, shown_once
from app.helpers.tokens import make_token
from app.models import User
from app.schemas import users as schemas
from app.services import users

bp = Blueprint("users", __name__, url_prefix="/api/v1")


def _with_token(user: User) -> Response:
    return jsonify({"id": user.id, "token": make_token(user)})


def _me() -> User:
    """The caller's account, locked. If it was deleted since the request began, its token is no good any more."""
    try:
        return find(User, g.actor.id)
    except NotFound:
        raise Unauthenticated from None


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
@needs("user:read")
@gives(200, schemas.shown, "ETag")
def show() -> Response:
    """Show one's own account."""
    return shown(g.actor)


@bp.patch("/user")
@needs("user:write")
@takes(schemas.update)
@gives(200, schemas.changed, "ETag")
@raises(Forbidden, EmailInUse, PreconditionFailed)
def update(body: dict[str, Any]) -> Response:
    """Change one's e-mail address or password. A new password ends all sessions; the answer has a new token then."""
    confirmed = users.confirm(g.actor, body["current_password"], body.get("password"))
    user = users.change(_me(), confirmed, body.get("email"))
    answer = shown(user)
    return shown_once(answer, token=make_token(user)) if "password" in body else answer


@bp.delete("/user")
@needs("user:write")
@takes(schemas.delete)
@gives(204)
@raises(Forbidden, PreconditionFailed)
def delete(body: dict[str, Any]) -> Response:
    """Delete one's account and everything that is its. There is no way back."""
    confirmed = users.confirm(g.actor, body["current_password"])
    users.delete(_me(), confirmed)
    return nothing()


@bp.post("/user/sign-out")
@needs("user:write")
@gives(204)
def sign_out() -> Response:
    """Sign out everywhere: ends every token that signing in gave. Named tokens stay."""
    g.actor.end_sessions()
    return nothing()


@bp.post("/authenticate")
@public
@takes(schemas.authenticate)
@gives(200, schemas.with_token)
@raises(Unauthenticated)
def authenticate(body: dict[str, Any]) -> Response:
    """Sign in: a token for an e-mail address and a password."""
    return _with_token(users.authenticate(**body))
