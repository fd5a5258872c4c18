"""Worked example: a versioned route, and a notice of one's own to the alert service."""

from flask import Blueprint, Response, jsonify

from app.helpers import monitoring
from app.helpers.auth import ANY, needs
from app.helpers.declare import gives
from app.schemas import examples as schemas

bp = Blueprint("foo", __name__, url_prefix="/api")


@bp.get("/v1/foo")
@needs(ANY)
@gives(200, schemas.foo_v1)
def foo_v1() -> Response:
    """Foo, as it was first. Tells the operators that somebody still calls it."""
    monitoring.notify(error_class="Foo", message="somebody called the old foo")
    return jsonify({"foo": "bar", "version": 1})


@bp.get("/v2/foo")
@needs(ANY)
@gives(200, schemas.foo_v2)
def foo_v2() -> Response:
    """Foo, as it is now."""
    return jsonify({"foo": {"name": "bar"}, "version": 2})
