"""Which storage is used, the names of blobs, and a folder that holds them."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from app.helpers import bucket, folder, storage
from app.helpers.folder import Folder
from app.helpers.storage import BlobMissing, new_key

KEY = "0" * 30 + "ab"


@pytest.fixture
def shelves(tmp_path: Path) -> Folder:
    return Folder(f"file://{tmp_path}/a%20folder")


def put(shelves: Folder, data: bytes, key: str = KEY) -> Path:
    writer = shelves.writer(key)
    writer.write(data)
    writer.finish()
    return shelves.path(key)


def test_key_is_hexadecimal_and_sorts_by_age(monkeypatch):
    keys = []
    for seconds in (1, 1_000_000_000, 1_700_000_000, 9_000_000_000):
        monkeypatch.setattr(storage.time, "time_ns", lambda seconds=seconds: seconds * 10**9)
        keys.append(new_key())
    assert keys == sorted(keys)
    assert all(storage.KEY_FORM.fullmatch(key) for key in keys)


def test_two_keys_of_one_moment_differ(monkeypatch):
    monkeypatch.setattr(storage.time, "time_ns", lambda: 1)
    assert new_key() != new_key()


@pytest.mark.parametrize(("url", "kind"), [("file:///srv/files", Folder), ("s3://bucket/x", bucket.Bucket)])
def test_address_says_which_storage_it_is(monkeypatch, url, kind):
    monkeypatch.setattr(bucket, "S3Store", Mock())
    assert type(storage.open_storage(SimpleNamespace(storage_url=url))) is kind


def test_storage_is_opened_when_it_is_asked_for_and_once(settings, monkeypatch):
    monkeypatch.setattr(storage, "_open", [])
    first = storage.storage()
    assert first is storage.storage()
    storage.use()
    assert storage.storage() is not first


def test_blob_is_read_as_it_was_written(shelves, tmp_path):
    path = put(shelves, b"hello")
    assert path == tmp_path / "a folder" / "ab" / KEY
    assert b"".join(shelves.read(KEY)) == b"hello"
    assert b"".join(shelves.read(KEY, 1, 3)) == b"el"
    assert b"".join(shelves.read(KEY, 2)) == b"llo"
    assert b"".join(shelves.read(KEY, 9)) == b""


def test_blob_comes_in_pieces(shelves, monkeypatch):
    monkeypatch.setattr(folder, "CHUNK_BYTES", 2)
    put(shelves, b"hello")
    assert list(shelves.read(KEY)) == [b"he", b"ll", b"o"]


def test_file_is_closed_at_its_end_and_when_the_reader_stops(shelves):
    put(shelves, b"hello")
    for stop in (list, lambda pieces: pieces.close()):
        pieces = shelves.read(KEY)
        stop(pieces)
        assert pieces.file.closed
        assert list(pieces) == []


def test_missing_blob_is_missed_at_once(shelves):
    with pytest.raises(BlobMissing, match=KEY):
        shelves.read(KEY)


def test_disk_that_takes_half_is_given_the_rest(shelves):
    writer = shelves.writer(KEY)
    took: list[bytes] = []
    whole = writer.file
    writer.file = SimpleNamespace(write=lambda data: took.append(bytes(data[:2])) or len(took[-1]))
    writer.write(b"hello")
    assert took == [b"he", b"ll", b"o"]
    writer.file = whole
    writer.abandon()


def test_blob_is_on_its_way_until_it_is_finished(shelves):
    writer = shelves.writer(KEY)
    writer.write(b"hello")
    assert [(blob.key, blob.size, blob.is_whole) for blob in shelves.blobs()] == [(KEY, 5, False)]
    with pytest.raises(BlobMissing):
        shelves.read(KEY)
    writer.finish()
    assert [(blob.key, blob.size, blob.is_whole) for blob in shelves.blobs()] == [(KEY, 5, True)]


def test_bytes_are_told_to_the_disk_before_their_name(shelves, monkeypatch):
    put(shelves, b"", "1" * 30 + "ab")
    told: list[list[str]] = []
    monkeypatch.setattr(folder.os, "fsync", lambda _number: told.append([blob.key for blob in shelves.blobs()
                                                                        if blob.is_whole]))  # fmt: skip
    put(shelves, b"hello")
    assert [KEY in names for names in told] == [False, True]


@pytest.mark.parametrize("finished", [False, True])
def test_abandoned_blob_leaves_nothing_unless_it_is_finished(shelves, finished):
    writer = shelves.writer(KEY)
    if finished:
        writer.finish()
    for _ in range(2):
        writer.abandon()
    assert writer.file.closed
    assert [blob.is_whole for blob in shelves.blobs()] == [True] * finished


def test_deleted_blob_is_gone_finished_or_not(shelves):
    put(shelves, b"hello")
    shelves.writer("1" * 32).file.close()
    for key in (KEY, "1" * 32, "never there".rjust(32, "0")):
        shelves.delete(key)
    assert list(shelves.blobs()) == []


def test_what_others_put_there_is_no_blob(shelves):
    path = put(shelves, b"hello")
    (path.parent / "README").touch()
    (shelves.root / "lost+found").touch()
    assert [blob.key for blob in shelves.blobs()] == [KEY]


def test_folder_that_was_never_made_is_empty(shelves):
    assert list(shelves.blobs()) == []


def test_blob_that_is_deleted_while_it_is_listed_is_left_out(shelves, monkeypatch):
    entries = folder._entries

    def gone_by_now(path) -> Iterator[os.DirEntry[str]]:
        for entry in entries(path):
            if re.fullmatch("0+ab", entry.name):
                os.unlink(entry)
            yield entry

    put(shelves, b"hello")
    put(shelves, b"hello", "1" * 32)
    monkeypatch.setattr(folder, "_entries", gone_by_now)
    assert [blob.key for blob in shelves.blobs()] == ["1" * 32]


def test_folder_has_no_links_of_its_own(shelves):
    assert shelves.link(KEY, 60, "attachment", "text/plain") is None
