"""Digests of content: as requests claim them (`Content-Digest` and `Repr-Digest` of RFC 9530, `Digest` of RFC 3230),
and as they are taken on the way."""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from typing import Any

from werkzeug.datastructures import Headers

from app.errors import MalformedRequest

OLD = "Digest"
HEADERS = ("Content-Digest", "Repr-Digest", OLD)
ALGORITHMS = {"sha-512": "sha512", "sha-256": "sha256", "sha": "sha1", "md5": "md5"}


def claimed(headers: Headers) -> dict[str, bytes]:
    """What a request says, by algorithm. Algorithms that nobody here knows say nothing."""
    found = {}
    for header in HEADERS:
        for part in headers.get(header, "").split(","):
            name, _, value = part.strip().partition("=")
            algorithm = ALGORITHMS.get(name.strip().lower())
            if algorithm is not None:
                found[algorithm] = _decode(header, value)
    return found


def _decode(header: str, value: str) -> bytes:
    """Base64, which the new headers put between colons."""
    colons = header != OLD
    text = value.partition(";")[0].strip()
    try:
        if colons and not (len(text) > 1 and text[0] == text[-1] == ":"):
            raise ValueError(text)
        return base64.b64decode(text[1:-1] if colons else text, validate=True)
    except (ValueError, binascii.Error):
        shape = "sha-256=:…:" if colons else "SHA-256=…"
        raise MalformedRequest(f"{header} must be like {shape}, with the digest in Base64.") from None


class Digests:
    """Several at once, of what is fed to it."""

    def __init__(self, algorithms: Iterable[str]):
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}

    def update(self, data: bytes) -> None:
        for one in self._hashes.values():
            one.update(data)

    def hex(self, algorithm: str) -> str:
        return self._hashes[algorithm].hexdigest()

    def of(self, algorithm: str) -> bytes:
        return self._hashes[algorithm].digest()


class DigestingReader:
    """A stream, and the digests of what was read from it."""

    def __init__(self, stream: Any, algorithms: Iterable[str]):
        self.stream, self.digests = stream, Digests(algorithms)

    def read(self, size: int = -1) -> bytes:
        data: bytes = self.stream.read(size)
        self.digests.update(data)
        return data
