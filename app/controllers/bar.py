"""Worked example: a body that has to fit a JSON Schema."""

from flask import Blueprint, Response, jsonify

from app.helpers.validation import read_body
from app.schemas.examples import bar as schema

bp = Blueprint("bar", __name__, url_prefix="/api/v1/bar")


@bp.post("")
def create() -> Response:
    return jsonify({"hello": read_body(schema)["name"]})
