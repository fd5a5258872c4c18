"""Files: `/api/v1/files`, named by a hash of their content."""

from typing import Any

from flask import Blueprint, Response, g, jsonify

from app.errors import ContentLost, JobNotFinished, RangeNotSatisfiable
from app.helpers.auth import needs
from app.helpers.content import Upload
from app.helpers.declare import gives, lists, raises, takes
from app.helpers.downloads import BYTES, send
from app.helpers.pages import contains, exactly, moment
from app.helpers.responses import find, nothing, shown
from app.helpers.uploads import takes_file
from app.models import File
from app.schemas import files as schemas
from app.services import files

bp = Blueprint("files", __name__, url_prefix="/api/v1/files")

FILTERS = {
    "type": exactly("type"),
    "q": contains(File.name),
    "created_before": moment("created_at__lt"),
    "created_after": moment("created_at__gt"),
}


@bp.get("")
@needs("files:read")
@lists(File, schemas.shown, FILTERS)
def index(page: Any) -> Response:
    """List one's own files."""
    return page(user_id=g.actor.id)  # type: ignore[no-any-return]


@bp.post("")
@needs("files:write")
@takes_file
@gives(201, schemas.shown, "Location", "ETag")
@gives(200, schemas.shown, "Location", "ETag")
def create(upload: Upload) -> Response:
    """Upload a file: 201, or 200 if the same content is there. As the part `upfile` of a form, or as the body."""
    file, is_new = files.store(g.actor, upload)
    return shown(file, 201 if is_new else 200, f"/api/v1/files/{file.sha256}")


@bp.get("/<file_hash>")
@needs("files:read")
@gives(200, schemas.shown, "ETag")
def show(file_hash: str) -> Response:
    """Show a file, by its sha256, sha1 or md5."""
    return shown(find(File, file_hash))


@bp.put("/<file_hash>")
@needs("files:write")
@takes(schemas.replace)
@gives(200, schemas.shown, "ETag")
def replace(file_hash: str, body: dict[str, Any]) -> Response:
    """Give a file another name and type. Its content never changes."""
    return shown(files.change(find(File, file_hash), body))


@bp.patch("/<file_hash>")
@needs("files:write")
@takes(schemas.update)
@gives(200, schemas.shown, "ETag")
def update(file_hash: str, body: dict[str, Any]) -> Response:
    """Change a file's name or type."""
    return shown(files.change(find(File, file_hash), body))


@bp.delete("/<file_hash>")
@needs("files:write")
@gives(204)
def delete(file_hash: str) -> Response:
    """Delete a file. Its bytes are gone within two hours."""
    find(File, file_hash).delete()
    return nothing()


@bp.get("/<file_hash>/content")
@needs("files:read")
@raises(RangeNotSatisfiable, ContentLost)
@gives(206, None, "ETag", "Content-Range", media_type=BYTES)
@gives(200, None, "ETag", "Accept-Ranges", media_type=BYTES)
def content(file_hash: str) -> Response:
    """Download a file, or a range of it."""
    return send(files.content_of(find(File, file_hash)))


@bp.get("/<file_hash>/preview")
@needs("files:read")
@raises(JobNotFinished)
@gives(200, None, "ETag", media_type=BYTES)
def preview(file_hash: str) -> Response:
    """Show a small picture, the first lines or the first rows of a file. 409 while its job is at it; 404 for types
    without."""
    return send(files.preview_of(find(File, file_hash)))


@bp.post("/<file_hash>/links")
@needs("files:write")
@takes(schemas.link)
@gives(201, schemas.linked)
def link(file_hash: str, body: dict[str, Any]) -> tuple[Response, int]:
    """Make a link that gives the file to whoever has it, until it expires."""
    return jsonify(files.make_link(find(File, file_hash), **body)), 201
