"""Worked example: a body that has to fit a JSON Schema."""

from flask import Blueprint, Response, jsonify

from app.helpers.auth import ANY, needs
from app.helpers.declare import gives, takes
from app.schemas import examples as schemas

bp = Blueprint("bar", __name__, url_prefix="/api/v1/bar")


@bp.post("")
@needs(ANY)
@takes(schemas.bar)
@gives(200, schemas.hello)
def create(body: dict[str, str]) -> Response:
    """Say hello to whom the body names."""
    return jsonify({"hello": body["name"]})
