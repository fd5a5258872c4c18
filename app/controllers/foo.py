"""Worked example: a versioned route, and a notice of one's own to the alert service."""

from flask import Blueprint, Response, jsonify

from app.helpers import monitoring

bp = Blueprint("foo", __name__, url_prefix="/api")


@bp.get("/v1/foo")
def foo_v1() -> Response:
    monitoring.notify(error_class="Foo", message="somebody called the old foo")
    return jsonify({"foo": "bar", "version": 1})


@bp.get("/v2/foo")
def foo_v2() -> Response:
    return jsonify({"foo": {"name": "bar"}, "version": 2})
