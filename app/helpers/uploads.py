"""A file that comes with a request: as the body itself, or as the part `upfile` of a form. It goes piece by piece into
the storage while its digests are taken; nothing waits for it meanwhile, neither a transaction nor another request.

The blob is whole and durable before the view is called, and thrown away after it unless the view's service kept it.
"""

import logging
import sys
from functools import wraps
from typing import Any

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from app.config import settings
from app.db import session
from app.errors import (
    DigestMismatch,
    LengthRequired,
    MalformedRequest,
    PayloadTooLarge,
    QuotaExceeded,
    Unauthenticated,
    Unavailable,
    ValidationFailed,
)
from app.helpers import digests, doors, monitoring
from app.helpers.content import Upload
from app.helpers.declare import Declared, View, declared
from app.helpers.sink import Sink
from app.helpers.storage import CHUNK_BYTES, storage
from app.models import File, User
from app.models.file import LONGEST_NAME

log = logging.getLogger(__name__)

FIELD = "upfile"
UNNAMED = "file"
MOST_PARTS = 8  # of a form
FORM_OVERHEAD_BYTES = 256 << 10  # that a form may have beside the file


def init(app: Flask) -> None:
    app.before_request(_receive)
    app.after_request(_throw_away)


def takes_file(view: View) -> View:
    """The view gets the file as `upload`."""

    @wraps(view)
    def given(*args: Any, **kwargs: Any) -> Any:
        return view(*args, upload=g.upload, **kwargs)

    said = declared(given)
    said.takes_file = True
    said.raises += [LengthRequired, DigestMismatch, MalformedRequest, PayloadTooLarge, QuotaExceeded, ValidationFailed]
    return given  # type: ignore[return-value]


def _receive() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    if not getattr(view, "declared", Declared()).takes_file:
        return
    actor_id = g.actor.id
    room = _room(actor_id)
    session.rollback()  # only read so far; on SQLite all writers would wait for the upload
    try:
        with doors.stepping_aside():
            g.upload = _receive_up_to(room)
    except OSError as error:
        log.error("an upload could not be stored: %s", error)
        monitoring.notify(error)
        raise Unavailable("The storage of files is full, or away. Try again.") from None
    actor = session.get(User, actor_id)
    if actor is None:
        raise Unauthenticated  # and what it sent is thrown away, as after any refusal
    g.actor = actor


def _receive_up_to(room: int) -> Upload:
    with Received(room) as sink:
        return sink.receive()


def _throw_away(response: Response) -> Response:
    upload = g.pop("upload", None)
    if upload is not None and not (upload.is_kept and response.status_code < 400):
        try:
            storage().delete(upload.key)
        except OSError as error:
            log.warning("blob %s is left to the sweep: %s", upload.key, error)
    return response


def _room(user_id: int) -> int:
    """How many bytes may come. Refuses at once what is announced to be more."""
    quota, used = settings().upload_quota_bytes, File.bytes_of(user_id)
    announced = request.content_length or 0
    if announced > settings().max_upload_bytes + FORM_OVERHEAD_BYTES:
        raise PayloadTooLarge(max_bytes=settings().max_upload_bytes)
    if announced > quota - used + FORM_OVERHEAD_BYTES:
        raise QuotaExceeded(quota_bytes=quota, used_bytes=used)
    return min(settings().max_upload_bytes, quota - used)


class Received(Sink):
    """What comes with the request. Werkzeug's parser of forms takes it for a file."""

    def __init__(self, room: int):
        self.claimed = digests.claimed(request.headers)
        super().__init__(room, self.claimed)

    def seek(self, _place: int) -> int:
        """What the parser does with a file that is complete."""
        return 0

    def receive(self) -> Upload:
        """The upload, durable; or why not."""
        request.max_content_length = sys.maxsize  # for this one body MAX_BODY_BYTES is no limit; `room` is
        if request.mimetype == "multipart/form-data":
            name, also = self._read_form()
        else:
            name, also = self._read_body(), self.digests
        for algorithm, value in self.claimed.items():
            if value not in (self.digests.of(algorithm), also.of(algorithm)):
                raise DigestMismatch
        return self.finish(name)

    def _read_body(self) -> str:
        """The name. A chunked body that was cut off looks like one that ended: it must come with a digest."""
        if "Transfer-Encoding" in request.headers and not self.claimed:
            raise LengthRequired
        name = clean_name(request.args.get("name") or _name_in_header() or UNNAMED)
        while piece := request.stream.read(CHUNK_BYTES):
            self.write(piece)
        if request.content_length not in (None, self.size):
            raise MalformedRequest("The body ended before its Content-Length.")
        return name

    def _read_form(self) -> tuple[str, digests.Digests]:
        """The name, and the digests of the form as a whole."""
        body = digests.DigestingReader(request.stream, self.claimed)
        opened: list[Received] = []

        def open_part(*_args: Any, **_options: Any) -> Any:
            if opened:
                raise MalformedRequest("Send one file at a time.")
            opened.append(self)
            return self

        parser = FormDataParser(open_part, max_form_memory_size=FORM_OVERHEAD_BYTES, max_form_parts=MOST_PARTS)
        parser.silent = False
        try:
            _, _, files = parser.parse(body, request.mimetype, request.content_length, request.mimetype_params)  # type: ignore[arg-type]
        except (ValueError, HTTPException):
            raise MalformedRequest("The form is broken, was cut off, or has much in it beside the file.") from None
        if FIELD not in files:
            pointer = f"#/{FIELD}"
            raise ValidationFailed(
                errors=[{"detail": "is required: the file, in a multipart form", "pointer": pointer}]
            )
        return clean_name(files[FIELD].filename or UNNAMED), body.digests


def _name_in_header() -> str | None:
    _, options = parse_options_header(request.headers.get("Content-Disposition"))
    return options.get("filename")


def clean_name(text: str) -> str:
    """The last part of what may be a path on the client's machine. Names are data, in any language."""
    name = text.replace("\\", "/").rstrip("/").rpartition("/")[2].strip()
    problem = ""
    if len(name) > LONGEST_NAME:
        problem = f"must have at most {LONGEST_NAME} characters"
    elif any(char < " " or char == "\x7f" or "\ud800" <= char <= "\udfff" for char in name):
        problem = "must not contain control characters or broken ones"
    if problem:
        raise ValidationFailed("The file's name does not fit.", errors=[{"detail": problem, "pointer": "#/name"}])
    return name if name not in ("", ".", "..") else UNNAMED
