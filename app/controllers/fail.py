"""Worked example: a bug. The caller gets a 500 with a request id; the operators get the KeyError."""

from flask import Blueprint, Response, jsonify

from app.helpers.auth import ANY, needs
from app.helpers.declare import gives

bp = Blueprint("fail", __name__, url_prefix="/api/v1/fail")


@bp.get("")
@needs(ANY)
@gives(200)
def index() -> Response:
    """Fail, on purpose."""
    settings: dict[str, str] = {}
    return jsonify(settings["a key that nobody set"])
