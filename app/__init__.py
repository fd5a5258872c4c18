"""The server. Importing this package costs nothing: workers and the relay live in it and know no Flask."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.config import Settings


def create_app(settings: "Settings") -> "Flask":
    """The Flask application, put together in `app/factory.py`."""
    from app import factory  # noqa: PLC0415  # it imports Flask, and everything that stands at the HTTP door

    return factory.create_app(settings)
