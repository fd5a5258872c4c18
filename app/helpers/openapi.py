"""The OpenAPI 3.1 document, made of the routes, of what declare.py heard above each view, and of the schemas that check
the requests. Nothing is written twice."""

import inspect
import re
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from app import errors
from app.config import settings
from app.helpers import html
from app.helpers.auth import is_open
from app.helpers.declare import Answer, Declared, declared
from app.helpers.openapi_components import HEADERS, PARAMETERS, PROBLEM, PROBLEM_V0, reference
from app.models.base import LARGEST_ID

VERSION = "1.0.0"
HIDDEN = ("/internal", "/static", "/docs")  # pages for people
PROBLEM_HEADERS = {
    401: ("WWW-Authenticate",),
    429: ("Retry-After", "RateLimit", "RateLimit-Policy"),
    503: ("Retry-After",),
}
FILE = {"type": "string", "format": "binary"}
UPLOAD = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {"type": "object", "properties": {"upfile": FILE}, "required": ["upfile"]},
        },
        "application/octet-stream": {"schema": FILE},
    },
}
CHANGING = ("PUT", "PATCH", "DELETE")
ABOUT = (
    "Slow work is answered with `202 Accepted` and a job to follow. Errors are problem objects (RFC 9457); the `type` "
    "of each leads to a page that explains it. Send the token of sign-up or sign-in as `Authorization: Bearer …`."
)


def document(app: Flask) -> dict[str, Any]:
    """The whole document, as plain data."""
    schemas: dict[str, Any] = {"Problem": PROBLEM, "ProblemV0": PROBLEM_V0}
    paths: dict[str, Any] = {}
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        if rule.rule.startswith(HIDDEN):
            continue
        path = paths.setdefault(re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), {})
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            path[method.lower()] = _operation(app, rule, method, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Accepted",
            "version": VERSION,
            "summary": "An API server for people who run events.",
            "description": ABOUT,
            "license": {"name": "Proprietary", "identifier": "LicenseRef-Proprietary"},
        },
        "servers": [{"url": settings().public_url}],
        "security": [{"token": []}],
        "tags": [{"name": name, "description": text} for name, text in _tags(app).items()],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": dict(sorted(schemas.items())),
            "parameters": PARAMETERS,
            "headers": {
                name: {"description": text, "schema": schema} for name, (text, schema) in sorted(HEADERS.items())
            },
        },
    }


def _tags(app: Flask) -> dict[str, str]:
    """Each blueprint in its order, described by its module's docstring."""
    modules = {
        rule.endpoint.partition(".")[0]: inspect.getmodule(inspect.unwrap(app.view_functions[rule.endpoint]))
        for rule in app.url_map.iter_rules()
        if not rule.rule.startswith(HIDDEN)
    }
    found = {name: modules[name] for name in app.blueprints if name in modules}
    return {name: inspect.cleandoc((module and module.__doc__) or "").split("\n")[0] for name, module in found.items()}


def _operation(app: Flask, rule: Rule, method: str, schemas: dict[str, Any]) -> dict[str, Any]:
    view = app.view_functions[rule.endpoint]
    said, public = declared(view), is_open(app, rule.endpoint)
    old = rule.endpoint.startswith("v0_")
    text = inspect.getdoc(view) or ""
    summary = text.split(". ")[0].split(": ")[0].rstrip(".")
    operation: dict[str, Any] = {
        "operationId": rule.endpoint.replace(".", "_"),
        "tags": [rule.endpoint.partition(".")[0]],
        "summary": summary,
        "description": text,
        "parameters": _parameters(rule, method, said),
        "responses": _responses(rule, method, said, public, old, schemas),
    }
    if said.body is not None:
        content = {"application/json": {"schema": reference(said.body.schema, schemas)}}
        if method == "PATCH":
            content["application/merge-patch+json"] = content["application/json"]
        if said.takes_form:
            content["application/x-www-form-urlencoded"] = content["application/json"]
        operation["requestBody"] = {"required": said.needs_body, "content": content}
    if said.takes_file:
        operation["requestBody"] = UPLOAD
    return operation | ({"security": []} if public else {}) | ({"deprecated": True} if old else {})


def _parameters(rule: Rule, method: str, said: Declared) -> list[dict[str, Any]]:
    kinds = {
        "int": {"type": "integer", "minimum": 1, "maximum": LARGEST_ID},
        "uuid": {"type": "string", "format": "uuid"},
        "default": {"type": "string"},
    }
    found: list[dict[str, Any]] = []
    for kind, name in re.findall(r"<(?:(\w+):)?(\w+)>", rule.rule):
        found.append({"name": name, "in": "path", "required": True, "schema": kinds[kind or "default"]})
    if said.filters is not None:
        orders = [sign + name for name in said.sorts for sign in ("", "-")]
        found += [{"$ref": f"#/components/parameters/{name}"} for name in ("PageSize", "PageToken")]
        found.append({"name": "sort", "in": "query", "schema": {"enum": orders}})
        found += [{"name": name, "in": "query", "schema": one.schema} for name, one in said.filters.items()]
    if method in CHANGING:
        found.append({"$ref": "#/components/parameters/IfMatch"})
    elif method == "POST":
        found.append({"$ref": "#/components/parameters/IdempotencyKey"})
    elif method == "GET" and _has_etag(said):
        found.append({"$ref": "#/components/parameters/IfNoneMatch"})
    if any("Preference-Applied" in answer.headers for answer in said.answers):
        found.append({"$ref": "#/components/parameters/Prefer"})
    if any("text/event-stream" in answer.media_types for answer in said.answers):
        found.append({"$ref": "#/components/parameters/LastEventId"})
    return found


def _has_etag(said: Declared) -> bool:
    return any("ETag" in answer.headers for answer in said.answers)


def _responses(
    rule: Rule, method: str, said: Declared, public: bool, old: bool, schemas: dict[str, Any]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for answer in said.answers:
        response = _response(answer, method, old, schemas)
        if str(answer.status) in found:  # as HTML, and as JSON
            found[str(answer.status)]["content"] |= response["content"]
        else:
            found[str(answer.status)] = response
    if method == "GET" and _has_etag(said):
        found["304"] = {"description": "It is still what you have."}
    kinds: dict[int, list[str]] = {}
    for kind, status in _problems(rule, method, said, public):
        kinds.setdefault(status, []).append(kind.slug)
    media, shape = ("application/json", "ProblemV0") if old else ("application/problem+json", "Problem")
    for status, slugs in sorted(kinds.items()):
        content = {media: {"schema": {"$ref": f"#/components/schemas/{shape}"}}}
        if html.is_page(rule.rule):
            content["text/html"] = {"schema": {"type": "string"}}
        response = {"description": " or ".join(f"`{slug}`" for slug in dict.fromkeys(slugs)), "content": content}
        if str(status) in found:  # /readyz answers 503 in its own shape, too
            found[str(status)]["content"] |= content
        else:
            names = ("X-Request-Id", *PROBLEM_HEADERS.get(status, ()))
            found[str(status)] = response | {"headers": _headers(names)}
    return dict(sorted(found.items()))


def _response(answer: Answer, method: str, old: bool, schemas: dict[str, Any]) -> dict[str, Any]:
    words = {
        303: "See there.",
        200: "Done.",
        206: "The range that was asked for.",
        201: "Made.",
        202: "Accepted: follow the job.",
        204: "Done; nothing to show.",
    }
    again = ("Idempotency-Replayed",) if method == "POST" else ()
    names = (*answer.headers, "X-Request-Id", *again, *(("Deprecation", "Sunset", "Link") if old else ()))
    response: dict[str, Any] = {
        "description": words.get(answer.status, "See the body."),
        "headers": _headers(names),
    }
    if answer.schema is not None or answer.status not in (204, 303, 304):
        schema = {"type": "string"} if answer.schema is None else reference(answer.schema.schema, schemas)
        response["content"] = {name: {"schema": schema} for name in answer.media_types}
    return response


def _headers(names: tuple[str, ...]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _problems(rule: Rule, method: str, said: Declared, public: bool) -> list[tuple[type[errors.AppError], int]]:
    """What can go wrong, as it follows from what the view takes, with the status of each."""
    kinds: list[type[errors.AppError]] = [] if public else [errors.Unauthenticated]
    if rule.arguments:
        kinds.append(errors.NotFound)
    if method in CHANGING:
        kinds.append(errors.PreconditionFailed)
    if said.filters is not None:
        kinds.append(errors.ValidationFailed)
    if said.body is not None:
        kinds += [errors.MalformedJson, errors.UnsupportedMediaType, errors.PayloadTooLarge]
    if method == "POST":
        kinds += [errors.IdempotencyKeyInvalid, errors.IdempotencyInProgress, errors.IdempotencyKeyReused]
    kinds += [*said.raises, errors.RateLimited, errors.AppError, errors.Unavailable]
    checked = [(errors.ValidationFailed, said.body.status)] if said.body is not None else []
    return [*((kind, kind.status) for kind in kinds), *checked]
