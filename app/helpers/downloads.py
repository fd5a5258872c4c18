"""Blobs as answers: whole or a range of them, with conditions (RFC 9110). What strangers uploaded never runs in a
browser under our address: it is an attachment, of the type that we say, in a sandbox."""

from collections.abc import Iterator

from flask import Response, request

from app.config import settings
from app.errors import ContentLost, RangeNotSatisfiable, Unavailable
from app.helpers import monitoring
from app.helpers.content import Attachment
from app.helpers.storage import BlobMissing, storage

# Their types in the document: any. The first is for programs that make clients of the document and know no `*/*`.
BYTES = ("application/octet-stream", "*/*")
HEADERS = {
    "Accept-Ranges": "bytes",
    "Cache-Control": "private, no-cache",  # kept, but asked for each time whether it still is the same, and allowed
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


def send(blob: Attachment) -> Response:
    """The blob, or as much of it as the request asks for."""
    response = Response(headers=HEADERS, content_type=blob.type)
    response.headers["Content-Disposition"] = blob.disposition
    response.set_etag(blob.etag)
    response.make_conditional(request)
    if response.status_code == 304:
        return response
    prefix, path = settings().x_accel_prefix, storage().path(blob.key)
    if prefix and path:  # nginx sends it, and minds the range
        response.headers["X-Accel-Redirect"] = f"{prefix}{path.parent.name}/{path.name}"
        return response
    start, end = 0, blob.size
    span = _span(blob)
    if span is not None:
        start, end = span
        response.status_code = 206
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{blob.size}"
    response.headers["Content-Length"] = str(end - start)
    if request.method != "HEAD":
        response.response, response.direct_passthrough = _read(blob, start, end), True
    return response


def _read(blob: Attachment, start: int, end: int) -> Iterator[bytes]:
    try:
        return storage().read(blob.key, start, end)
    except BlobMissing as error:
        monitoring.notify(error, fingerprint="content-lost")
        raise ContentLost from None
    except OSError as error:
        monitoring.notify(error)
        raise Unavailable("The storage of files is away. Try again.") from None


def _span(blob: Attachment) -> tuple[int, int] | None:
    """The one range that is asked for, from its first byte to behind its last. Several at once, or one of another
    version, get the whole."""
    wanted = request.range
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1:
        return None
    if request.if_range.etag not in (None, blob.etag) or request.if_range.date is not None:
        return None
    first, stop = wanted.ranges[0]
    if first is not None and first < 0:  # so many from the end, or all there are
        first = max(0, blob.size + first)
    if first is None or first >= blob.size:
        raise RangeNotSatisfiable(headers={"Content-Range": f"bytes */{blob.size}"})
    return first, min(stop or blob.size, blob.size)
