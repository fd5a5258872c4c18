"""Signed links to files: `/api/v1/links/<token>`, for whoever has one."""

from flask import Blueprint, Response

from app.errors import ContentLost, RangeNotSatisfiable
from app.helpers.auth import public
from app.helpers.declare import gives, raises
from app.helpers.downloads import BYTES, send
from app.services import files

bp = Blueprint("links", __name__, url_prefix="/api/v1/links")


@bp.get("/<token>")
@public
@raises(RangeNotSatisfiable, ContentLost)
@gives(206, None, "ETag", "Content-Range", media_type=BYTES)
@gives(200, None, "ETag", "Accept-Ranges", media_type=BYTES)
def show(token: str) -> Response:
    """Download the file that the link names, or a range of it."""
    return send(files.content_of(files.find_linked(token)))
