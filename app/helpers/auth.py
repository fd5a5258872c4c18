"""Who is calling: every route needs a token, unless its view says `@public`. The caller is `g.actor`."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, g, request

from app.errors import Unauthenticated
from app.helpers import context
from app.helpers.tokens import user_of

View = TypeVar("View", bound=Callable[..., Any])


def public(view: View) -> View:
    """Opens a route to everybody."""
    view.is_public = True  # type: ignore[attr-defined]
    return view


def is_open(app: Flask, endpoint: str) -> bool:
    """Whether this route takes callers without a token: by its own word, or because operators' pages have a guard
    of their own (`helpers/operator.py`)."""
    view = app.view_functions[endpoint]
    return bool(getattr(view, "is_public", False)) or endpoint == "static" or endpoint.startswith("rq_dashboard.")


def init(app: Flask) -> None:
    app.before_request(_authenticate)


def _authenticate() -> None:
    if request.endpoint is None or is_open(current_app, request.endpoint):
        return
    scheme, _, rest = request.headers.get("Authorization", "").strip().partition(" ")
    token = rest.strip() if scheme.lower() == "bearer" else scheme if not rest else ""
    if not token:
        raise Unauthenticated
    g.actor = user_of(token)
    known = context.get()
    context.current.set(context.Context(request_id=known.request_id, account_id=g.actor.id))
