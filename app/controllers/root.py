"""Outside the API: what this server is, whether it is alive and ready, and what its problem types mean."""

from typing import Any

from flask import Blueprint, Response, current_app, jsonify, render_template

from app.errors import NotFound, problem_types
from app.helpers.auth import public
from app.services.readiness import missing

bp = Blueprint("root", __name__)


@bp.get("/")
@public
def index() -> str:
    return render_template("home.html", examples=current_app.config["EXAMPLES"])


@bp.get("/healthz")
@public
def healthz() -> Response:
    """The process answers."""
    return jsonify({"status": "ok"})


@bp.get("/readyz")
@public
def readyz() -> tuple[Response, int]:
    """Everything that a request and its job need is there; else 503 with the list of what is not."""
    wrong = missing(current_app.extensions["accepted.engine"])
    body: dict[str, Any] = {"status": "unavailable" if wrong else "ready", "missing": wrong}
    return jsonify(body), 503 if wrong else 200


@bp.get("/problems/<slug>")
@public
def problem(slug: str) -> str:
    kind = problem_types().get(slug)
    if kind is None:
        raise NotFound
    return render_template("problem.html", kind=kind)
