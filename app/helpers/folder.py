"""Blobs as files of a folder (`STORAGE_URL=file:///…`): `ab/…ab`, and while they are on their way `incoming/…`."""

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from app.helpers.storage import CHUNK_BYTES, KEY_FORM, Blob, BlobMissing

INCOMING = "incoming"


class FolderWriter:
    def __init__(self, draft: Path, target: Path):
        self.draft, self.target = draft, target
        self.file: BinaryIO = draft.open("xb", buffering=0)  # what is written comes in large pieces
        self.is_open = True

    def write(self, data: bytes, /) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self.file.write(rest) :]

    def finish(self) -> None:
        os.fsync(self.file.fileno())
        self.file.close()
        _make(self.target.parent)
        self.draft.rename(self.target)
        _sync(self.target.parent)
        self.is_open = False

    def abandon(self) -> None:
        if self.is_open:
            self.file.close()
            self.draft.unlink(missing_ok=True)
            self.is_open = False


class Pieces:
    """A stretch of a file, piece by piece, which closes it at its end or when told to."""

    def __init__(self, file: BinaryIO, start: int, end: int | None):
        self.file = file
        self.left = os.fstat(file.fileno()).st_size - start if end is None else end - start
        file.seek(start)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece = self.file.read(min(CHUNK_BYTES, self.left)) if self.left > 0 else b""
        if not piece:
            self.close()
            raise StopIteration
        self.left -= len(piece)
        return piece

    def close(self) -> None:
        self.left = 0
        self.file.close()


class Folder:
    def __init__(self, url: str):
        self.root = Path(unquote(urlsplit(url).path))

    def writer(self, key: str) -> FolderWriter:
        _make(self.root / INCOMING)
        return FolderWriter(self.root / INCOMING / key, self.path(key))

    def read(self, key: str, start: int = 0, end: int | None = None) -> Pieces:
        try:
            return Pieces(self.path(key).open("rb", buffering=0), start, end)
        except FileNotFoundError:
            raise BlobMissing(key) from None

    def delete(self, key: str) -> None:
        for path in (self.path(key), self.root / INCOMING / key):
            path.unlink(missing_ok=True)

    def blobs(self) -> Iterator[Blob]:
        for folder in _entries(self.root):
            for entry in filter(_is_blob, _entries(folder)):
                with suppress(FileNotFoundError):  # deleted or renamed meanwhile
                    facts = entry.stat()
                    written_at = datetime.fromtimestamp(facts.st_mtime, UTC)
                    yield Blob(entry.name, facts.st_size, written_at, is_whole=folder.name != INCOMING)

    def path(self, key: str) -> Path:
        return self.root / key[-2:] / key  # the end of a key is random: some thousand files a folder, a million in all

    def link(self, key: str, seconds: int, disposition: str, media_type: str) -> None:
        """The server itself has to give it."""


def _is_blob(entry: os.DirEntry[str]) -> bool:
    return KEY_FORM.fullmatch(entry.name) is not None


def _entries(folder: Any) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _make(folder: Path) -> None:
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync(folder.parent)


def _sync(folder: Path) -> None:
    """A new name in a folder is safe from a power cut only after this."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
