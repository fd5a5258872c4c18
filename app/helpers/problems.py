"""The shape of an error: `application/problem+json` (RFC 9457) for every 4xx and 5xx of the process, whoever raised
it. Version 0 of the API keeps the brief's `{"error": …}`; guests get a page."""

from typing import Any

from flask import Flask, Response, current_app, json, request
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, InternalServerError

from app.config import settings
from app.errors import (
    AppError,
    Conflict,
    MalformedRequest,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    Unavailable,
    UnsupportedMediaType,
)
from app.helpers import context, html

OURS = {
    kind.status: kind for kind in (MalformedRequest, NotFound, MethodNotAllowed, PayloadTooLarge, UnsupportedMediaType)
}
AWAY = (OperationalError, PoolTimeout)  # the database can't be reached, or every connection is busy


def init(app: Flask) -> None:
    app.register_error_handler(AppError, problem)
    app.register_error_handler(HTTPException, _of_the_framework)
    app.register_error_handler(InternalServerError, _unhandled)


def problem(error: AppError) -> Response:
    if html.is_wanted():
        return html.refusal(error.status, error.headers, context.get().request_id)
    body: dict[str, Any]
    if _is_v0():
        body, kind = {"error": error.detail}, "application/json"
    else:
        body = error.to_problem(settings().public_url)
        body |= {"instance": request.path, "request_id": context.get().request_id}
        kind = "application/problem+json"
    # ASCII: a refusal may quote what no encoding can carry.
    return Response(json.dumps(body, ensure_ascii=True), error.status, error.headers, content_type=kind)


def stored(body: dict[str, Any]) -> Response:
    """A problem object that was written down earlier, answered now, with its own status."""
    body = body | {"instance": request.path, "request_id": context.get().request_id}
    return Response(json.dumps(body), body["status"], content_type="application/problem+json")


def _is_v0() -> bool:
    """By its view; or, where none fits, by the first part of the path."""
    if request.blueprint:
        return request.blueprint.startswith("v0")
    roots = {rule.rule.split("/")[1] for rule in current_app.url_map.iter_rules() if rule.endpoint.startswith("v0")}
    return request.path.split("/")[1] in roots


def _of_the_framework(error: HTTPException) -> Response:
    """What Flask or Werkzeug refused, in our words."""
    kind = OURS.get(error.code or 500)
    ours: AppError
    if kind is not None:
        ours = kind()
    else:
        ours = AppError(error.description)
        ours.status, ours.title, ours.slug = error.code or 500, error.name, "malformed-request"
    ours.headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    if isinstance(ours, PayloadTooLarge):
        ours.extras["max_bytes"] = settings().max_body_bytes
    return problem(ours)


def _unhandled(error: InternalServerError) -> Response:
    """A bug, unless the database says what it is. `helpers/web_monitoring.py` has reported it by now."""
    cause = error.original_exception
    if isinstance(cause, IntegrityError):
        return problem(Conflict())
    if isinstance(cause, AWAY):
        return problem(Unavailable())
    return problem(AppError("Something went wrong on our side. We have been told; the request id helps us find it."))
