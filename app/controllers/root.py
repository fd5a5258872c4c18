"""Outside the API: what this server is, whether it is alive and ready, and what its problem types mean."""

from typing import Any

from flask import Blueprint, Response, current_app, jsonify, render_template

from app.errors import NotFound, problem_types
from app.helpers.auth import public
from app.helpers.declare import gives
from app.schemas import root as schemas
from app.services.readiness import missing

bp = Blueprint("root", __name__)


@bp.get("/")
@public
@gives(200, media_type="text/html")
def index() -> str:
    """What this server is, with links."""
    return render_template("home.html")


@bp.get("/healthz")
@public
@gives(200, schemas.alive)
def healthz() -> Response:
    """The process answers."""
    return jsonify({"status": "ok"})


@bp.get("/readyz")
@public
@gives(200, schemas.ready)
@gives(503, schemas.ready)
def readyz() -> tuple[Response, int]:
    """Everything that a request and its job need is there; else 503 with the list of what is not."""
    wrong = missing(current_app.extensions["accepted.engine"])
    body: dict[str, Any] = {"status": "unavailable" if wrong else "ready", "missing": wrong}
    return jsonify(body), 503 if wrong else 200


@bp.get("/problems/<slug>")
@public
@gives(200, media_type="text/html")
def problem(slug: str) -> str:
    """What a type of problem means."""
    kind = problem_types().get(slug)
    if kind is None:
        raise NotFound
    return render_template("problem.html", kind=kind)
