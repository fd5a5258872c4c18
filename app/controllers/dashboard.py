"""rq-dashboard at `/internal/rq`, for operators, with its holes closed. What its pages show is in dashboard_data.py.

It can look, requeue and compact, but delete nothing: the ledger is the truth, so that what is taken out of Redis
there would only be rung again. To be rid of a job, cancel it through the API.
"""

import base64
import hashlib
import re
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, request
from redis import Redis, RedisError
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq_dashboard import web

from app.config import Settings
from app.controllers import dashboard_data
from app.errors import Conflict, Forbidden, MethodNotAllowed, NotFound, Unavailable
from app.helpers import operator

POLL_MILLISECONDS = 5000
# What the parts of its addresses may be. It would answer 500 to most of the rest, or read all of Redis for it.
ADDRESS_PARTS = {
    "instance_number": "0",
    "queue_name": r"[\w.:-]{1,100}",
    "registry_name": "queued|scheduled|deferred|started|finished|failed|canceled",
    "per_page": "[1-9][0-9]?|1[0-9][0-9]|200",
    "order": "asc|dsc",
    "page": "[1-9][0-9]{0,5}",
    "job_id": r"[\w-]{1,100}",
}
INLINE_SCRIPT = re.compile(rb'<script type="text/javascript">(.*?)</script>', re.DOTALL)


def init(app: Flask, settings: Settings, redis: Redis) -> None:
    """Mounts it. It uses the connection given, and never learns the address, which may hold a password."""
    place = urlsplit(settings.redis_url)
    shown = f"{place.scheme}://{place.hostname or ''}{f':{place.port}' if place.port else ''}{place.path}"
    app.config.update(
        RQ_DASHBOARD_REDIS_URL=(shown,),
        RQ_DASHBOARD_POLL_INTERVAL=POLL_MILLISECONDS,
        RQ_DASHBOARD_DISABLE_DELETE=True,
    )
    app.extensions["rq_dashboard_redis"] = app.redis_conn = redis  # type: ignore[attr-defined]  # where it looks
    # It would open a connection per request here, by the address that it shows.
    web.from_url = lambda *_, **__: (None, current_app.extensions["rq_dashboard_redis"])
    operator.init(app)
    app.before_request(_check)
    app.after_request(_protect)
    app.register_blueprint(web.blueprint, url_prefix="/internal/rq")
    views = dashboard_data.VIEWS | {"delete_job_view": _refuse, "empty_queue": _refuse}
    # The blueprint is one object for all apps of a process; the views are replaced in this app alone.
    for endpoint, view in app.view_functions.items():
        blueprint, _, name = endpoint.partition(".")
        if blueprint == "rq_dashboard" and name != "static":
            app.view_functions[endpoint] = _careful(views.get(name, view))


def _refuse(**_: Any) -> None:
    raise Forbidden("Nothing is deleted here: Redis only rings for what the ledger holds. Cancel the job instead.")


def _check() -> None:
    """Refuses addresses that it can't answer, and changes by GET."""
    if request.blueprint != "rq_dashboard":
        return
    for name, value in (request.view_args or {}).items():
        pattern = ADDRESS_PARTS.get(name)
        if pattern and value is not None and not re.fullmatch(pattern, str(value), re.ASCII):
            raise NotFound("The dashboard has no such page.")
    if request.endpoint == "rq_dashboard.requeue_all" and request.method in ("GET", "HEAD"):
        raise MethodNotAllowed(headers={"Allow": "OPTIONS, POST"})


def _careful(view: Callable[..., Any]) -> Callable[..., Any]:
    """The same view, with our answers to what it does not expect."""

    @wraps(view)
    def careful(*args: Any, **kwargs: Any) -> Any:
        try:
            current_app.extensions["rq_dashboard_redis"].ping()  # its first page says 200 to a Redis that is away
            return view(*args, **kwargs)
        except NoSuchJobError:
            raise NotFound("Redis knows no such job. The ledger may: see /api/v1/jobs.") from None
        except InvalidJobOperation:
            raise Conflict("Only a failed job can be requeued.") from None
        except RedisError:
            raise Unavailable("Redis can't be reached at the moment.") from None
        except dashboard_data.GARBAGE:
            raise Conflict("What Redis holds there can't be read. The ledger has the job: see /api/v1/jobs.") from None

    return careful


def _protect(response: Response) -> Response:
    """A second lock behind the escaping: only the page's own scripts run, and nothing is loaded from elsewhere."""
    if request.blueprint == "rq_dashboard" and response.mimetype == "text/html":
        digests = (hashlib.sha256(script).digest() for script in INLINE_SCRIPT.findall(response.get_data()))
        inline = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
        response.headers["Content-Security-Policy"] = (
            # Its templates are compiled in the browser, which is eval; its layout has style attributes.
            f"default-src 'none'; script-src 'self' 'unsafe-eval' {inline}; style-src 'self' 'unsafe-inline'; "
            "img-src 'self' data:; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
        )
    return response
