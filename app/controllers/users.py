"""Accounts: `/api/v1/user` is the caller's own; `/api/v1/authenticate` gives a token."""

from flask import Blueprint, Response, g, jsonify

from app.helpers.auth import public
from app.helpers.responses import shown
from app.helpers.tokens import make_token
from app.helpers.validation import read_body
from app.models import User
from app.schemas import users as schemas
from app.services import users

bp = Blueprint("users", __name__, url_prefix="/api/v1")


def _with_token(user: User) -> Response:
    return jsonify({"id": user.id, "token": make_token(user)})


@bp.post("/user")
@public
def create() -> Response:
    user = users.sign_up(**read_body(schemas.sign_up))
    response = _with_token(user)
    response.status_code = 201
    response.headers["Location"] = "/api/v1/user"
    return response


@bp.get("/user")
def show() -> Response:
    return shown(g.actor)


@bp.post("/authenticate")
@public
def authenticate() -> Response:
    return _with_token(users.authenticate(**read_body(schemas.authenticate)))
