"""Where the bytes of files are: a folder, or a bucket (`STORAGE_URL`). Each blob has a key of its own, made anew for
each upload, so no blob is ever overwritten, and to delete one can take no other's bytes.

A blob is there whole or not at all: it can be read once `finish()` has returned, and is then as safe from a power cut
as the storage can make it.
"""

import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from app.config import Settings, settings

CHUNK_BYTES = 256 << 10  # of a blob in memory at a time
KEY_FORM = re.compile("[0-9a-f]{32}")


class BlobMissing(Exception):
    """There is no blob under this key."""


@dataclass(frozen=True)
class Blob:
    key: str
    size: int  # bytes
    written_at: datetime
    is_whole: bool = True  # False: an upload that has not finished, and perhaps never will


class Writer(Protocol):
    """One blob on its way. Whoever does not finish abandons; if neither is done, since its process was killed, the
    rest is swept (`app/workers/files.py`)."""

    def write(self, data: bytes, /) -> object: ...

    def finish(self) -> None:
        """Returns when the blob is durable, and there for everybody."""

    def abandon(self) -> None:
        """Nothing is left. Does nothing after `finish()`."""


class Storage(Protocol):
    """Keys are `new_key()`s. Any of these may raise OSError: the storage is away."""

    def writer(self, key: str) -> Writer: ...

    def read(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` to before `end`, in pieces. Raises BlobMissing at once, not at the first piece."""
        ...

    def delete(self, key: str) -> None:
        """It is gone, or was never there. Whoever reads it already reads on."""

    def blobs(self) -> Iterator[Blob]:
        """All that is stored, whole or not, in no order. What has a name that is no key was put there by others."""
        ...

    def path(self, key: str) -> Path | None:
        """The blob as a file of this machine, if it is one."""
        ...

    def link(self, key: str, seconds: int, disposition: str, media_type: str) -> str | None:
        """An address at the storage itself that gives the blob to whoever has it, for so long, with these values of
        Content-Disposition and Content-Type; None if there is no such thing."""
        ...


def new_key() -> str:
    """Sorts by age; 32 characters of hexadecimal."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


_open: list[Storage] = []


def use() -> None:
    """From now on the storage is the one that the settings in force name."""
    _open.clear()


def storage() -> Storage:
    """The storage of this process, opened when it is first asked for: its client's threads survive no fork."""
    if not _open:
        _open.append(open_storage(settings()))
    return _open[0]


def open_storage(named_in: Settings) -> Storage:
    """The storage that `STORAGE_URL` names. Each imports only what it needs."""
    if urlsplit(named_in.storage_url).scheme == "s3":
        from app.helpers.bucket import Bucket  # noqa: PLC0415

        return Bucket(named_in.storage_url)
    from app.helpers.folder import Folder  # noqa: PLC0415

    return Folder(named_in.storage_url)
