"""The operators' door: everything under `/internal` asks for the operator's name and password (HTTP Basic), and takes
changes only from its own pages. Who may use the API is in auth.py."""

import hmac
from urllib.parse import urlsplit

from flask import Flask, request

from app.config import settings
from app.errors import Forbidden, Unauthenticated

SAFE = ("GET", "HEAD", "OPTIONS")
CHALLENGE = 'Basic realm="Accepted operators", charset="UTF-8"'


def init(app: Flask) -> None:
    """Closes `/internal`, whatever is mounted there and whoever mounts it. A second call does no harm."""
    app.before_request(_guard)


def _guard() -> None:
    # By path, so that what nobody thought of is closed too; by name, so that a dashboard elsewhere is closed as well.
    if request.path.startswith("/internal") or request.blueprint == "rq_dashboard":
        require_operator()


def require_operator() -> None:
    """Refuses whoever is not the operator, and what a stranger's page makes the operator's browser send."""
    given = request.authorization
    # Both are compared in any case, so that the time taken says nothing about which of them was wrong.
    known = _same(given.username if given else None, settings().supervisor_user)
    known &= _same(given.password if given else None, settings().supervisor_password)
    if not known or given is None or given.type != "basic":
        error = Unauthenticated("This page is for operators: sign in with their name and password.")
        error.headers = {"WWW-Authenticate": CHALLENGE}
        raise error
    if request.method not in SAFE and not _is_from_our_pages():
        raise Forbidden("Changes are taken only from this server's own pages.")


def _same(given: str | None, wanted: str) -> bool:
    return hmac.compare_digest((given or "").encode(), wanted.encode())


def _is_from_our_pages() -> bool:
    """Browsers send these passwords by themselves, to whichever page asks; but they also say which page that is.

    What sends neither header is no browser, and nobody can make it send the password.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        return site == "same-origin"
    return origin is None or urlsplit(origin).netloc == request.host
