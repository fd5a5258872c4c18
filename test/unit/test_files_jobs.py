"""The jobs about files: which preview is made and kept, what a check marks and tells, what a sweep removes."""

import hashlib
import os
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from app.errors import PreviewImpossible
from app.helpers.previews import Preview
from app.models import File
from app.models.base import now
from app.workers import files as jobs

KEY = "0" * 32
LONG_AGO = timedelta(hours=2)
MADE = Preview(b"small", "image/webp")


@pytest.fixture(autouse=True)
def checkpoint(settings, monkeypatch) -> Mock:
    mock = Mock()
    monkeypatch.setattr(jobs, "checkpoint", mock)
    return mock


@pytest.fixture
def session(monkeypatch) -> Mock:
    mock = Mock()
    monkeypatch.setattr(jobs, "session", mock)
    return mock


@pytest.fixture
def row(file, session, shelf, monkeypatch) -> File:
    """A file in the database, and its blob on the shelf."""
    made = file()
    monkeypatch.setattr(File, "find", lambda _id: made)
    session.get.return_value = made
    shelf.whole[KEY] = b"hello"
    return made


@pytest.fixture
def make(monkeypatch) -> Mock:
    """What opens strangers' files."""
    mock = Mock(return_value=MADE)
    monkeypatch.setattr(jobs.previews, "make", mock)
    return mock


def test_preview_is_a_blob_of_its_own_that_the_row_names(row, shelf, make):
    assert jobs.preview(1, "text/plain") == {"made": True, "href": f"/api/v1/files/{'a' * 64}/preview"}
    assert shelf.whole[row.preview_key] == b"small"
    assert (row.preview_type, row.preview_size) == ("image/webp", 5)
    assert row.key == KEY != row.preview_key


@pytest.mark.parametrize("found", [None, {"type": "text/csv"}])
def test_preview_that_nobody_wants_any_more_is_not_made(row, file, make, monkeypatch, found):
    monkeypatch.setattr(File, "find", lambda _id: found and file(**found))
    assert jobs.preview(1, "text/plain") == {"made": False}
    make.assert_not_called()


def test_file_that_is_too_large_is_not_even_opened(row, make):
    row.size = jobs.LARGEST_PREVIEWED + 1
    with pytest.raises(PreviewImpossible, match="too large"):
        jobs.preview(1, "text/plain")
    make.assert_not_called()


@pytest.mark.parametrize("then", [None, {"type": "text/csv"}, {"key": "1" * 32}])
def test_preview_of_what_changed_meanwhile_is_left_to_the_sweep(row, session, file, make, then):
    session.get.return_value = current = then and file(**then)
    assert jobs.preview(1, "text/plain") == {"made": False}
    assert current is None or current.preview_key is None


def test_no_transaction_is_open_while_bytes_are_looked_at(row, make, checkpoint):
    make.side_effect = lambda *_args: checkpoint.assert_called_once_with() or MADE
    jobs.preview(1, "text/plain")


def test_preview_that_fails_leaves_no_blob(row, shelf, make):
    make.side_effect = PreviewImpossible
    with pytest.raises(PreviewImpossible):
        jobs.preview(1, "text/plain")
    assert set(shelf.whole) == {KEY}


def test_blob_that_is_a_file_is_opened_where_it_is(row, shelf, make, tmp_path):
    shelf.path_of = tmp_path.joinpath
    jobs.preview(1, "text/plain")
    make.assert_called_once_with(tmp_path / KEY, "text/plain")


def test_blob_from_elsewhere_is_copied_for_as_long_as_it_is_looked_at(row, make, tmp_path):
    seen = []
    make.side_effect = lambda path, _type: seen.append((path.parent, path.read_bytes())) or MADE
    jobs.preview(1, "text/plain")
    assert seen == [(tmp_path, b"hello")]
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def notify(monkeypatch) -> Mock:
    mock = Mock()
    monkeypatch.setattr(jobs.monitoring, "notify", mock)
    return mock


@pytest.fixture
def check(session, shelf, notify) -> Callable[..., dict]:
    """Checks these rows, as the database gives them one by one; `meanwhile` is what has become of some,
    `earlier` how many an attempt before has checked."""

    def run(*rows: File, meanwhile: dict[int, File | None] | None = None, earlier: int = 0) -> dict:
        current = {row.id: row for row in rows} | (meanwhile or {})
        counted = [SimpleNamespace(one=lambda number=number: number) for number in (now(), len(rows), earlier)]
        one_by_one = [SimpleNamespace(one_or_none=lambda found=found: found) for found in (*rows, None)]
        damaged = SimpleNamespace(all=lambda: [id_ for id_, row in current.items() if row and row.damaged_at])
        session.scalars.side_effect = [*counted, *one_by_one, damaged]
        session.get.side_effect = lambda _model, id_, **_lock: current[id_]
        return jobs.check()

    return run


def of(data: bytes, **values) -> dict:
    return {"sha256": hashlib.sha256(data).hexdigest(), "checked_at": now() - LONG_AGO, **values}


def test_good_file_is_marked_as_checked_and_nobody_is_told(check, file, shelf, notify):
    shelf.whole[KEY] = b"good"
    row = file(**of(b"good", damaged_at=now()))  # it was mended by hand
    assert check(row) == {"checked": 1, "damaged": 0, "file_ids": []}
    assert row.damaged_at is None
    assert now() - row.checked_at < LONG_AGO
    notify.assert_not_called()


def test_changed_and_missing_files_are_marked_and_told_once(check, file, shelf, notify):
    shelf.whole[KEY] = b"GOOD"
    rows = [file(**of(b"good")), file(**of(b"good", id=2, key="1" * 32))]
    assert check(*rows) == {"checked": 2, "damaged": 2, "file_ids": [1, 2]}
    assert all(row.damaged_at for row in rows)
    notify.assert_called_once_with(
        error_class="FilesDamaged",
        message="2 of 2 files are damaged or missing",
        context={"file_ids": [1, 2]},
        token=None,
    )


def test_damage_is_dated_from_when_it_was_first_seen(check, file):
    first_seen = now() - LONG_AGO
    row = file(**of(b"good", damaged_at=first_seen))
    check(row)
    assert row.damaged_at == first_seen


@pytest.mark.parametrize("then", [None, {"key": "1" * 32}])
def test_file_that_was_deleted_or_mended_meanwhile_is_not_damaged(check, file, notify, then):
    current = then and file(**of(b"good", **then))
    assert check(file(**of(b"good")), meanwhile={1: current}) == {"checked": 1, "damaged": 0, "file_ids": []}
    assert current is None or current.damaged_at is None
    notify.assert_not_called()


def test_check_reports_how_far_it_is(check, file, shelf, checkpoint):
    shelf.whole[KEY] = b"good"
    check(file(**of(b"bad", id=1)), file(**of(b"good", id=2)))
    assert [call.args for call in checkpoint.call_args_list] == [(0, 2), (1, 2), (2, 2)]


def test_check_that_goes_on_counts_what_was_checked_before(check, file, shelf, checkpoint):
    shelf.whole[KEY] = b"good"
    assert check(file(**of(b"good")), earlier=3)["checked"] == 4
    assert [call.args for call in checkpoint.call_args_list] == [(3, 4), (4, 4)]


def test_storage_that_is_away_damages_nothing(check, file, shelf):
    row = file(**of(b"good"))
    shelf.away = OSError("away")
    with pytest.raises(OSError, match="away"):
        check(row)
    assert row.damaged_at is None


@pytest.fixture
def put(shelf, session) -> Callable[..., None]:
    """Puts old blobs on the shelf; those in `named` are in the database."""

    def put(*keys: str, named: tuple[str, ...] = ()) -> None:
        for key in keys:
            shelf.whole[key], shelf.written_at[key] = b"x", now() - LONG_AGO
        session.execute.return_value = [(key, None) for key in named]

    return put


def test_sweep_removes_what_no_row_names(put, shelf):
    put("wanted", "deleted", named=("wanted",))
    assert jobs.sweep() == {"looked_at": 2, "removed": 1}
    assert set(shelf.whole) == {"wanted"}


def test_sweep_keeps_previews(put, shelf, session):
    put("picture", "preview")
    session.execute.return_value = [("picture", "preview")]
    assert jobs.sweep()["removed"] == 0


def test_sweep_leaves_alone_what_may_be_on_its_way(put, shelf):
    put("young")
    shelf.written_at["young"] = now() - jobs.ABANDONED + timedelta(minutes=1)
    assert jobs.sweep() == {"looked_at": 0, "removed": 0}
    assert set(shelf.whole) == {"young"}


def test_sweep_goes_batch_by_batch_with_no_transaction_open_while_it_deletes(put, shelf, checkpoint, monkeypatch):
    monkeypatch.setattr(jobs, "BATCH", 2)
    put("1", "2", "3")
    left = []
    checkpoint.side_effect = lambda done, message: left.append((done, message, len(shelf.whole)))
    assert jobs.sweep() == {"looked_at": 3, "removed": 3}
    assert left == [(0, "0 removed", 3), (2, "2 removed", 1)]


def test_sweep_removes_copies_that_a_killed_process_left(put, tmp_path):
    put()
    old, young, other = (tmp_path / name for name in ("preview-1", "preview-2", "accepted.db"))
    for path in (old, young, other):
        path.touch()
    for path in (old, other):
        os.utime(path, ((now() - LONG_AGO).timestamp(),) * 2)
    jobs.sweep()
    assert (old.exists(), young.exists(), other.exists()) == (False, True, True)
