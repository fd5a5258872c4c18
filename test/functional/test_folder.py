"""What only a folder has: names and bytes that survive a power cut, and files that nobody else can enter."""

import os
from pathlib import Path

import pytest

from app.helpers.folder import Folder
from app.helpers.storage import new_key


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "not" / "made" / "yet"


@pytest.fixture
def storage(root: Path) -> Folder:
    return Folder(f"file://{root}")


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str], int]]:
    """What was told to the disk, in order: its path, what is in it then, and its size."""
    seen = []
    sync = os.fsync

    def note(number: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{number}"))
        inside = sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []
        seen.append((str(path), inside, path.stat().st_size))
        sync(number)

    monkeypatch.setattr(os, "fsync", note)
    return seen


def put(storage: Folder, data: bytes) -> Path:
    writer = storage.writer(key := new_key())
    writer.write(data)
    writer.finish()
    return storage.path(key)


def test_bytes_are_on_the_disk_before_their_name_and_the_name_before_the_end(storage, root, synced):
    put(storage, b"first")
    del synced[:]
    path = put(storage, b"a blob")
    draft, shelf = synced[0], synced[-1]
    assert draft == (str(root / "incoming" / path.name), [], len(b"a blob"))
    assert shelf[0] == str(path.parent)
    assert path.name in shelf[1]  # which another blob may share, if its key ends alike


def test_folders_that_are_made_are_on_the_disk_too(storage, root, tmp_path, synced):
    path = put(storage, b"a blob")
    told = [(path, name) for path, inside, _ in synced for name in inside]
    new = [path, path.parent, root / "incoming", root, *list(root.parents)[:2]]
    assert all((str(folder.parent), folder.name) in told for folder in new)


def test_nobody_else_can_enter(storage, root):
    folders = [put(storage, b"a blob").parent, root / "incoming", root]
    assert [oct(folder.stat().st_mode & 0o777) for folder in folders] == ["0o700"] * 3


def test_a_blob_is_a_file_of_this_machine_and_has_no_link(storage):
    path = put(storage, b"a blob")
    assert path.read_bytes() == b"a blob"
    assert storage.link(path.name, 60, "attachment", "text/plain") is None


def test_a_blob_is_never_overwritten(storage):
    writer = storage.writer(key := new_key())
    with pytest.raises(FileExistsError):
        storage.writer(key)
    writer.abandon()


def test_who_reads_a_deleted_blob_reads_on(storage):
    path = put(storage, bytes(2 << 20))
    pieces = storage.read(path.name)
    size = len(next(pieces))
    storage.delete(path.name)
    assert size + sum(map(len, pieces)) == 2 << 20


def test_a_folder_that_is_away_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    storage = Folder(f"file://{tmp_path}/file/x")
    for work in (storage.writer, storage.read, storage.delete):
        with pytest.raises(OSError, match=r"Not a directory|File exists"):
            work(new_key())


def test_a_full_disk_is_an_error(storage):
    writer = storage.writer(new_key())
    writer.file.close()
    with Path("/dev/full").open("wb", buffering=0) as writer.file, pytest.raises(OSError, match="No space left"):
        writer.write(b"a blob")
    writer.abandon()
    assert list(storage.blobs()) == []
