"""Reports the unhandled exceptions of requests. What a notice holds, and how it travels, is in monitoring.py."""

import logging
from typing import Any
from urllib.parse import quote, urlencode

from flask import Flask, Request, got_request_exception, request

from app.helpers import monitoring
from app.helpers.scrub import FILTERED, is_sensitive

logger = logging.getLogger(__name__)


def init(app: Flask) -> None:
    """Listens to the signal that Flask sends before it answers 500, whatever the error handlers then do."""
    got_request_exception.connect(_report, app, weak=False)


def _report(_app: Flask, exception: BaseException, **_: Any) -> None:
    try:
        monitoring.notify(exception, request=_describe(request))
    except Exception:  # the answer must go out
        logger.exception("The failure of a request could not be reported")


def _describe(request: Request) -> dict[str, Any]:
    """What was asked, without body, cookies and tokens."""
    component, _, action = (request.endpoint or "").rpartition(".")
    query = {name: FILTERED if is_sensitive(name) else values for name, values in request.args.lists()}
    asked = urlencode(query, doseq=True, safe="[]")
    return {
        "url": request.host_url.rstrip("/") + _path(request) + (f"?{asked}" if asked else ""),
        "component": component,
        "action": action or request.path,
        "params": {**(request.view_args or {}), **query},
        "cgi_data": {
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.content_type,
            "CONTENT_LENGTH": request.content_length,
            "HTTP_USER_AGENT": request.user_agent.string,
        },
    }


def _path(request: Request) -> str:
    """The path, without the parts of it that are secrets, as in `/invitations/<token>`."""
    path = quote(request.path, safe="/:@!$&'()*+,;=~")
    for name, value in (request.view_args or {}).items():
        if is_sensitive(name):
            path = path.replace(quote(str(value)), FILTERED)
    return path
