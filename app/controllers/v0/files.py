"""`/service/fileupload`, `/service/fileupload/<file_hash>`: metadata of files, found by md5, sha1 or sha256."""

from typing import Any

from flask import Response, g, jsonify
from sqlalchemy import select

from app.controllers.v0 import blueprint
from app.db import session
from app.errors import Forbidden
from app.helpers.auth import needs
from app.helpers.content import Upload
from app.helpers.declare import gives, raises, takes
from app.helpers.responses import find
from app.helpers.uploads import takes_file
from app.models import File
from app.schemas import files as schemas
from app.services import files

bp = blueprint("files", successor="/api/v1/files", url_prefix="/service/fileupload")


def _shape(file: File) -> dict[str, Any]:
    return {
        "file_name": file.name,
        "file_type": file.type,
        "file_size": file.size,
        "file_md5": file.md5,
        "file_sha1": file.sha1,
        "file_sha256": file.sha256,
    }


@bp.get("")
@needs("files:read")
@gives(200, schemas.v0_list)
def index() -> Response:
    """List one's own files."""
    rows = session.scalars(select(File).where(File.visible_to(g.actor)).order_by(File.id))
    return jsonify([_shape(file) for file in rows])


@bp.post("")
@needs("files:write")
@takes_file
@raises(Forbidden)
@gives(201, schemas.v0_shown)
def create(upload: Upload) -> tuple[Response, int]:
    """Upload a file as the part `upfile` of a form. 403 if the same content is there already."""
    file, is_new = files.store(g.actor, upload)
    if not is_new:
        raise Forbidden("A file with this content is there already.")
    return jsonify(_shape(file)), 201


@bp.get("/<file_hash>")
@needs("files:read")
@gives(200, schemas.v0_shown)
def show(file_hash: str) -> Response:
    """Show a file."""
    return jsonify(_shape(find(File, file_hash)))


@bp.put("/<file_hash>")
@needs("files:write")
@takes(schemas.v0_replace)
@gives(201, schemas.v0_shown)
def replace(file_hash: str, body: dict[str, Any]) -> tuple[Response, int]:
    """Give a file another name and type."""
    fields = {"name": body["file_name"], "type": body["file_type"]}
    return jsonify(_shape(files.change(find(File, file_hash), fields))), 201


@bp.delete("/<file_hash>")
@needs("files:write")
@gives(201, schemas.v0_deleted)
def delete(file_hash: str) -> tuple[Response, int]:
    """Delete a file."""
    file = find(File, file_hash)
    file.delete()
    return jsonify(f"deleted {file.sha256}"), 201
