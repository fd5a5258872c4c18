"""Version 0 of the API: the brief's own paths, shapes and status codes, with the same services behind them. Each answer
says that it is deprecated, and what takes its place."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

from flask import Blueprint

from app.helpers.responses import deprecated

SINCE = datetime(2026, 11, 21, tzinfo=UTC)
UNTIL = datetime(2029, 1, 1, tzinfo=UTC)


def blueprint(name: str, successor: str, **options: Any) -> Blueprint:
    """One resource, whose twin in version 1 is the successor."""
    made = Blueprint(f"v0_{name}", __name__, **options)
    made.after_request(partial(deprecated, since=SINCE, until=UNTIL, successor=successor))
    return made
