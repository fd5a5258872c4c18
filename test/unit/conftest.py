"""What unit tests stand on instead of servers: settings, a storage in memory, rows that no database holds, and an
application of the one blueprint that is looked at."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from flask import Blueprint, Flask, g
from flask.testing import FlaskClient

from app import config
from app.helpers import problems, storage
from app.helpers.storage import Blob, BlobMissing
from app.models import File
from app.models.base import now

ALICE = SimpleNamespace(id=7)
DIGESTS = {"sha256": "a" * 64, "sha1": "b" * 40, "md5": "c" * 32}


class Shelf:
    """A storage in memory. `path_of` makes it one of this machine's files, `away` an error."""

    def __init__(self) -> None:
        self.whole: dict[str, bytes] = {}
        self.written_at: dict[str, datetime] = {}
        self.writers: list[ShelfWriter] = []
        self.away: OSError | None = None
        self.path_of: Callable[[str], Path | None] = lambda _key: None
        self.url: str | None = None

    def writer(self, key: str) -> "ShelfWriter":
        self._open()
        self.writers.append(ShelfWriter(self, key))
        return self.writers[-1]

    def read(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        self._open()
        if key not in self.whole:
            raise BlobMissing(key)
        return iter([self.whole[key][start:end]])

    def delete(self, key: str) -> None:
        self._open()
        self.whole.pop(key, None)

    def blobs(self) -> Iterator[Blob]:
        return (Blob(key, len(data), self.written_at.get(key, now())) for key, data in list(self.whole.items()))

    def path(self, key: str) -> Path | None:
        return self.path_of(key)

    def link(self, _key: str, _seconds: int, _disposition: str, _media_type: str) -> str | None:
        return self.url

    def _open(self) -> None:
        if self.away:
            raise self.away


class ShelfWriter:
    def __init__(self, shelf: Shelf, key: str):
        self.shelf, self.key, self.data, self.end = shelf, key, b"", ""

    def write(self, data: bytes, /) -> None:
        self.data += data

    def finish(self) -> None:
        self.shelf.whole[self.key], self.end = self.data, "finished"

    def abandon(self) -> None:
        self.end = self.end or "abandoned"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> config.Settings:
    """In force for this test. `config.use` puts others in their place, for this test too."""
    secrets = {"SECRET_KEY": "a secret for tests only", "SUPERVISOR_PASSWORD": "x" * 16}
    loaded = config.load({"APP_ENV": "test", "DATA_DIR": str(tmp_path), **secrets})
    monkeypatch.setattr(config, "_in_force", [loaded])
    return loaded


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """The storage of this process."""
    made = Shelf()
    monkeypatch.setattr(storage, "_open", [made])
    return made


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch) -> Callable[..., File]:
    """Makes a row; to save it writes it nowhere."""
    monkeypatch.setattr(File, "save", lambda self, **_options: self)
    facts = {"id": 1, "user_id": ALICE.id, "name": "a.txt", "type": "text/plain", "size": 5, "key": "0" * 32, **DIGESTS}
    return lambda **values: File(**facts | {"created_at": now(), "updated_at": now()} | values)


@pytest.fixture
def find_for(file: Callable[..., File], monkeypatch: pytest.MonkeyPatch) -> Mock:
    """How a controller finds the caller's file: by default there is one, whatever its hash."""
    found = Mock(return_value=file())
    monkeypatch.setattr(File, "find_for", found)
    return found


@pytest.fixture
def serve(settings: config.Settings) -> Callable[..., FlaskClient]:
    """A client of an application that has this blueprint alone, and knows its caller."""

    def made(blueprint: Blueprint, **known: Any) -> FlaskClient:
        app = Flask("unit")
        app.before_request(lambda: vars(g._get_current_object()).update(known))
        problems.init(app)
        app.register_blueprint(blueprint)
        return app.test_client()

    return made
