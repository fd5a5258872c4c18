"""What a storage promises, of a folder and of a bucket alike."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from buckets import BUCKET

from app.config import ROOT
from app.helpers.bucket import Bucket
from app.helpers.folder import Folder
from app.helpers.storage import CHUNK_BYTES, BlobMissing, Storage, new_key

SMALL, BIG = b"a small blob", os.urandom(20 << 20)  # in one request, and in three parts
GROWTH_MB = 64  # of memory, for a blob of any size


@pytest.fixture(params=["folder", "bucket"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return f"file://{tmp_path}/a%20folder"
    request.getfixturevalue("aws")
    return f"s3://{BUCKET}/{tmp_path.name}/x"


@pytest.fixture
def storage(url: str) -> Storage:
    return open_url(url)


@pytest.fixture
def files(url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], list[Path]]:
    """What is on the disk, in the end."""
    if url.startswith("file:"):
        return lambda: [path for path in tmp_path.rglob("*") if path.is_file()]
    return lambda: request.getfixturevalue("s3_server").files(tmp_path.name)


def open_url(url: str) -> Storage:
    return Bucket(url) if url.startswith("s3:") else Folder(url)


def put(storage: Storage, data: bytes, key: str = "") -> str:
    key = key or new_key()
    writer = storage.writer(key)
    for piece in pieces_of(data):
        writer.write(piece)
    writer.finish()
    return key


def pieces_of(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), CHUNK_BYTES):
        yield data[start : start + CHUNK_BYTES]


@pytest.mark.parametrize("data", [b"", SMALL, BIG], ids=["empty", "small", "big"])
def test_what_is_written_is_read(storage, data):
    key = put(storage, data)
    pieces = list(storage.read(key))
    assert b"".join(pieces) == data
    assert all(0 < len(piece) <= 8 * CHUNK_BYTES for piece in pieces)  # one, and what had come meanwhile


@pytest.mark.parametrize("start", [0, 4, 11, 12, 13, 1000])
@pytest.mark.parametrize("end", [None, 0, 4, 8, 12, 13, 1000])
def test_a_stretch_is_read(storage, start, end):
    assert b"".join(storage.read(put(storage, SMALL), start, end)) == SMALL[start:end]


def test_a_stretch_of_a_big_blob_is_read(storage):
    start, end = 5 << 20, (15 << 20) + 1
    pieces = list(storage.read(put(storage, BIG), start, end))
    assert b"".join(pieces) == BIG[start:end]
    assert len(pieces) > 10


def test_an_empty_blob_has_empty_stretches(storage):
    key = put(storage, b"")
    assert [list(storage.read(key, *stretch)) for stretch in [(0, 5), (5,), (0, 0)]] == [[], [], []]


@pytest.mark.parametrize("stretch", [(), (5,), (0, 0), (5, 9)])
def test_a_missing_blob_is_missed_at_once(storage, stretch):
    put(storage, SMALL)
    with pytest.raises(BlobMissing):
        storage.read(new_key(), *stretch)


def test_whoever_stops_reading_early_closes(storage):
    pieces = storage.read(put(storage, BIG))
    assert BIG.startswith(next(pieces))
    pieces.close()
    assert list(pieces) == []


def test_a_deleted_blob_is_gone_and_can_be_deleted_again(storage, files):
    key, other = put(storage, SMALL), put(storage, SMALL)
    storage.delete(key)
    storage.delete(key)
    storage.delete(new_key())
    with pytest.raises(BlobMissing):
        storage.read(key)
    assert [blob.key for blob in storage.blobs()] == [other]
    assert [path.name for path in files()] == [other]


def test_nothing_is_there_before_the_end(storage):
    key = new_key()
    writer = storage.writer(key)
    writer.write(BIG)
    with pytest.raises(BlobMissing):
        storage.read(key)
    assert not [blob for blob in storage.blobs() if blob.is_whole]
    writer.finish()
    assert b"".join(storage.read(key)) == BIG


@pytest.mark.parametrize("data", [b"", SMALL, BIG], ids=["empty", "small", "big"])
def test_what_is_abandoned_leaves_nothing(storage, files, data):
    writer = storage.writer(new_key())
    for piece in pieces_of(data):
        writer.write(piece)
    writer.abandon()
    writer.abandon()
    assert list(storage.blobs()) == []
    assert files() == []


def test_what_is_finished_can_not_be_abandoned(storage):
    key = new_key()
    writer = storage.writer(key)
    writer.write(SMALL)
    writer.finish()
    writer.abandon()
    assert b"".join(storage.read(key)) == SMALL


def test_blobs_are_listed_with_size_and_time(storage):
    sizes = {put(storage, data): len(data) for data in (b"", SMALL, BIG)}
    blobs = list(storage.blobs())
    assert {blob.key: blob.size for blob in blobs} == sizes
    assert all(blob.is_whole for blob in blobs)
    assert all(abs(datetime.now(UTC) - blob.written_at) < timedelta(minutes=1) for blob in blobs)


def test_an_empty_storage_lists_nothing(storage):
    assert list(storage.blobs()) == []


def test_what_others_put_there_is_not_listed(storage, url):
    key, neighbour = put(storage, SMALL), open_url(f"{url}y")
    put(neighbour, SMALL)
    put(open_url(f"{url}/{key[-2:]}"), SMALL, "notes.txt")
    assert [blob.key for blob in storage.blobs()] == [key]


def test_a_killed_writer_leaves_no_whole_blob(storage, url):
    key = new_key()
    words = "writer.write(bytes(20 << 20)); os.kill(os.getpid(), signal.SIGKILL)"
    assert elsewhere(url, f"import os, signal\nwriter = open_url({url!r}).writer({key!r}); {words}").returncode == -9
    with pytest.raises(BlobMissing):
        storage.read(key)
    unfinished = [(blob.key, blob.size, blob.is_whole) for blob in storage.blobs()]
    assert unfinished == ([(key, 20 << 20, False)] if url.startswith("file:") else [])
    storage.delete(key)
    assert list(storage.blobs()) == []


def test_memory_does_not_grow_with_the_blob(url):
    code = f"""
from resource import RUSAGE_SELF, getrusage
def turn(count):
    key, size = new_key(), 0
    writer = storage.writer(key)
    for _ in range(count):
        writer.write(bytes(CHUNK_BYTES))
    writer.finish()
    for piece in storage.read(key):
        size += len(piece)
    assert size == count * CHUNK_BYTES
    return getrusage(RUSAGE_SELF).ru_maxrss >> 10
storage = open_url({url!r})
print(turn(1), turn(1200))
"""
    small, big = map(int, elsewhere(url, code).stdout.split())
    assert big - small < GROWTH_MB, f"{small} MB for 256 kB, {big} MB for 300 MB"


def elsewhere(url: str, code: str) -> subprocess.CompletedProcess[str]:
    """Runs it in a process of its own."""
    imports = "from app.helpers.storage import CHUNK_BYTES, new_key\nfrom test_storage import open_url\n"
    paths = os.pathsep.join(map(str, [ROOT, ROOT / "test", ROOT / "test" / "functional"]))
    command = [sys.executable, "-c", imports + code]
    return subprocess.run(
        command, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, check=False, timeout=120
    )
