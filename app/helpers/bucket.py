"""Blobs as objects of a bucket (`STORAGE_URL=s3://bucket/prefix`), at `prefix/key`: S3, or what speaks like it.

Who we are there, and where it is, obstore takes from the variables `AWS_…`. Its work is done by threads of its own, so
a process that has used a bucket must not be forked into one that uses it, too: that one would wait for ever.
"""

import hashlib
import hmac
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from app.helpers.storage import CHUNK_BYTES, KEY_FORM, Blob, BlobMissing

PART_BYTES = 8 << 20  # S3 takes 10,000 parts of one upload: blobs of at most 78 GiB
PARTS_AT_ONCE = 2  # so an upload needs three parts' memory: one more is being filled
PAGE = 1000  # blobs, as many as S3 lists at a time
CONNECT_SECONDS = 5
SILENT_SECONDS = 20  # after which an answer is not waited for any longer; nor is a request tried again
RETRIES = 3
A_READ = timedelta(days=1)  # for a whole answer: whoever reads it may be slow
CODE = re.compile(r"<Code>(\w+)</Code>")


class BucketWriter:
    """A blob of less than a part is one request, made by `finish()`; a bigger one goes up part by part."""

    def __init__(self, store: S3Store, key: str):
        self.file = obstore.open_writer(store, key, buffer_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE)

    def write(self, data: bytes, /) -> None:
        with _plain_errors():
            self.file.write(data)

    def finish(self) -> None:
        with _plain_errors():
            self.file.close()

    def abandon(self) -> None:
        # Leaving the file's block by an exception is obstore's only word for "abort". It refuses after `finish()`.
        # What can't be aborted now, as the bucket is away, is left to the bucket's own rule (docs/operations.md).
        with suppress(BaseError, OSError):
            self.file.__exit__(InterruptedError, None, None)


class Pieces:
    """The body of one answer. Whoever stops early closes it, and with it the connection."""

    def __init__(self, stream: Iterator[bytes]):
        self.stream = stream

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with _plain_errors():
            piece = next(self.stream, None)
        if piece is None:
            self.close()
            raise StopIteration
        return piece

    def close(self) -> None:
        self.stream = iter(())


class Bucket:
    def __init__(self, url: str):
        parts, patience = urlsplit(url), timedelta(seconds=SILENT_SECONDS)
        self.secret = os.environ.get("AWS_SECRET_ACCESS_KEY", "")
        with _plain_errors():
            self.store = S3Store(
                parts.netloc,
                prefix=parts.path.strip("/") or None,
                client_options={
                    "allow_http": os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"),
                    "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
                    "read_timeout": patience,
                    "timeout": A_READ,
                },
                retry_config={"max_retries": RETRIES, "retry_timeout": patience},
            )

    def writer(self, key: str) -> BucketWriter:
        return BucketWriter(self.store, key)

    def read(self, key: str, start: int = 0, end: int | None = None) -> Pieces:
        stop = None if end is None else max(end, start + 1)  # HTTP has no empty ranges
        stretch: Any = {"offset": start} if stop is None else (start, stop)
        try:
            answer = obstore.get(self.store, key, options={"range": stretch} if start or stop else {})
        except (BaseError, OSError) as error:
            if "status code: 416" in str(error):  # it is there, and ends before `start`
                return Pieces(iter(()))
            if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in str(error):
                raise BlobMissing(key) from None
            raise _plain(error) from None
        return Pieces(iter(()) if end is not None and end <= start else answer.stream(min_chunk_size=CHUNK_BYTES))

    def delete(self, key: str) -> None:
        with _plain_errors():
            obstore.delete(self.store, key)

    def blobs(self) -> Iterator[Blob]:
        """An upload that has not finished is not listed by S3 among its objects."""
        pages = obstore.list(self.store, chunk_size=PAGE)
        while True:
            with _plain_errors():
                page = next(pages, None)
            if page is None:
                return
            for facts in page:
                if KEY_FORM.fullmatch(facts["path"]):
                    yield Blob(facts["path"], facts["size"], facts["last_modified"])

    def path(self, key: str) -> None:
        """It is no file of this machine."""

    def link(self, key: str, seconds: int, disposition: str, media_type: str) -> str | None:
        """obstore signs no headers of the answer, so its own signature is replaced by one that holds them, too. That
        takes the secret key: where a role of the machine signs instead, there are no links."""
        if not self.secret:
            return None
        with _plain_errors():
            url = urlsplit(obstore.sign(self.store, "GET", key, timedelta(seconds=seconds)))
        values = dict(parse_qsl(url.query))
        del values["X-Amz-Signature"]
        values |= {"response-content-disposition": disposition, "response-content-type": media_type}
        query = urlencode(sorted(values.items()), quote_via=quote, safe="~")
        signature = self._sign(f"GET\n{url.path}\n{query}\nhost:{url.netloc}\n\nhost\nUNSIGNED-PAYLOAD", values)
        return url._replace(query=f"{query}&X-Amz-Signature={signature}").geturl()

    def _sign(self, request: str, values: dict[str, str]) -> str:
        """AWS Signature Version 4, for a request whose signature is part of its address."""
        _, scope = values["X-Amz-Credential"].split("/", 1)
        digest = hashlib.sha256(request.encode()).hexdigest()
        signed = "\n".join([values["X-Amz-Algorithm"], values["X-Amz-Date"], scope, digest])
        key = b"AWS4" + self.secret.encode()
        for part in (*scope.split("/"), signed):
            key = hmac.digest(key, part.encode(), "sha256")
        return key.hex()


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as error:
        raise _plain(error) from None


def _plain(error: Exception) -> OSError:
    """obstore's errors run over a page, with all that the storage said; the query of an address may hold a token."""
    what, answered, rest = str(error).partition("\n")[0].partition("status code: ")
    code = CODE.search(str(error))
    status = f"{answered}{rest.partition(':')[0]}"
    return OSError(re.sub(r"\?\S+", "", what) + status + (f" ({code[1]})" if code else ""))
