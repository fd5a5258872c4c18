"""The documentation: the OpenAPI document, and a page to browse and try it, without a request to anybody else."""

from flask import Blueprint, Response, current_app, jsonify, render_template

from app.helpers.auth import public
from app.helpers.declare import gives
from app.helpers.openapi import document

bp = Blueprint("docs", __name__)

# Swagger UI styles its parts as it goes, and draws its icons from data: URLs. Scripts come from here alone.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'"
)


@bp.get("/api/v1/openapi.json")
@public
@gives(200)
def show() -> Response:
    """This document."""
    if "accepted.openapi" not in current_app.extensions:  # made once: the routes do not change
        current_app.extensions["accepted.openapi"] = document(current_app)
    response = jsonify(current_app.extensions["accepted.openapi"])
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


@bp.get("/docs")
@public
def browse() -> Response:
    """The page."""
    response = Response(render_template("docs.html"))
    response.headers["Content-Security-Policy"] = POLICY
    return response
