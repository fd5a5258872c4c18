"""Who is calling, and with which scopes: every route needs a token, unless its view says `@public`. The caller is
`g.actor`. A named token gets only where the view says `@needs("tasks:read")` and the token has that scope."""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, g, request
from sqlalchemy.exc import SQLAlchemyError

from app import db
from app.errors import Forbidden, Unauthenticated
from app.helpers import context
from app.helpers.declare import declared
from app.helpers.tokens import caller_of
from app.models import ApiToken
from app.models.api_token import SCOPES

log = logging.getLogger(__name__)
View = TypeVar("View", bound=Callable[..., Any])

ANY = "any"  # whatever token it is
SIGN_IN = "sign-in"  # the token of signing in: no named one ever has this scope
UNDECLARED = SIGN_IN


def public(view: View) -> View:
    """Opens a route to everybody."""
    view.is_public = True  # type: ignore[attr-defined]
    return view


def needs(scope: str) -> Callable[[View], View]:
    """The scope that a named token must have here. The token of signing in has them all."""
    if scope not in (*SCOPES, ANY, SIGN_IN):
        raise ValueError(f"there is no scope {scope!r}")

    def decorate(view: View) -> View:
        view.scope = scope  # type: ignore[attr-defined]
        if scope != ANY:
            declared(view).raises.append(Forbidden)
        return view

    return decorate


def scope_of(app: Flask, endpoint: str) -> str | None:
    """What the view said; None if it said nothing, and then it is closed to named tokens."""
    return getattr(app.view_functions[endpoint], "scope", None)


def is_open(app: Flask, endpoint: str) -> bool:
    """Whether this route takes callers without a token: by its own word, or because operators' pages have a guard
    of their own (`helpers/operator.py`)."""
    view = app.view_functions[endpoint]
    return bool(getattr(view, "is_public", False)) or endpoint == "static" or endpoint.startswith("rq_dashboard.")


def init(app: Flask) -> None:
    app.before_request(_authenticate)
    app.teardown_request(_note_use)


def _authenticate() -> None:
    if request.endpoint is None or is_open(current_app, request.endpoint):
        return
    scheme, _, rest = request.headers.get("Authorization", "").strip().partition(" ")
    token = rest.strip() if scheme.lower() == "bearer" else scheme if not rest else ""
    if not token:
        raise Unauthenticated
    g.actor, api_token = caller_of(token)
    known = context.get()
    context.current.set(context.Context(request_id=known.request_id, account_id=g.actor.id))
    if api_token is not None:
        if api_token.is_use_to_be_noted:
            g.used_token_id = api_token.id
        _check_scope(api_token, scope_of(current_app, request.endpoint) or UNDECLARED)


def _check_scope(token: ApiToken, scope: str) -> None:
    if scope == SIGN_IN:
        raise Forbidden("No named token may do that: sign in, and use the token that you get.", required_scope=scope)
    if scope != ANY and scope not in token.scopes:
        raise Forbidden(f"This token may not do that: it has not the scope {scope}.", required_scope=scope)


def _note_use(_error: Any) -> None:
    """When the request is settled, in a transaction of its own: a reader must not turn writer (see db.py), and a
    refused request is a use too."""
    token_id = g.pop("used_token_id", None)
    if token_id is None:
        return
    db.session.rollback()
    db.read_only.set(False)
    try:
        ApiToken.note_use(token_id)
        db.settle(200)
    except SQLAlchemyError as error:  # the answer stands, and the next request notes it
        db.session.rollback()
        log.warning("the use of token %d was not noted: %s", token_id, type(error).__name__)
