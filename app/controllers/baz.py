"""Worked example: a job, enqueued from a controller."""

from flask import Blueprint, Response

from app.helpers.responses import accepted
from app.helpers.validation import read_body
from app.queue import enqueue
from app.schemas.examples import baz as schema

bp = Blueprint("baz", __name__, url_prefix="/api/v1/baz")


@bp.post("")
def create() -> Response:
    return accepted(enqueue("examples.count", to=read_body(schema).get("to", 3)))
