"""What is decided about files: stored or known already, with room or without, with a preview or none."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from app import config
from app.errors import JobNotFinished, NotFound, QuotaExceeded
from app.helpers import links
from app.helpers.content import Attachment, Upload
from app.models import File, Job
from app.services import files

ALICE = SimpleNamespace(id=7)
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
PREVIEW = {"preview_key": "9" * 32, "preview_type": "image/webp", "preview_size": 3}
NONE = dict.fromkeys(PREVIEW)


@pytest.fixture
def upload() -> Upload:
    digests = {"sha256": "d" * 64, "sha1": "e" * 40, "md5": "f" * 32}
    return Upload("1" * 32, "guests.csv", "text/csv", 10, digests)


@pytest.fixture
def known(settings, file, monkeypatch) -> SimpleNamespace:
    """What the database says of the account: `same`, the file with this content, and `used` bytes."""
    said = SimpleNamespace(same=None, used=0, session=Mock())
    monkeypatch.setattr(files, "session", said.session)
    monkeypatch.setattr(File, "find_same", lambda _owner, _sha256: said.same)
    monkeypatch.setattr(File, "bytes_of", lambda _user_id: said.used)
    return said


@pytest.fixture
def enqueue(monkeypatch) -> Mock:
    mock = Mock(return_value=SimpleNamespace(id="a job"))
    monkeypatch.setattr(files, "enqueue", mock)
    return mock


def preview_of(file: File) -> dict:
    return {name: getattr(file, name) for name in PREVIEW}


def test_new_content_becomes_a_row_that_keeps_its_blob(known, enqueue, upload):
    file, is_new = files.store(ALICE, upload)
    assert is_new
    assert upload.is_kept
    assert (file.user_id, file.name, file.type, file.size, file.key) == (7, "guests.csv", "text/csv", 10, "1" * 32)
    assert (file.sha256, file.sha1, file.md5) == ("d" * 64, "e" * 40, "f" * 32)


def test_uploads_of_an_account_take_turns(known, enqueue, upload):
    files.store(ALICE, upload)
    known.session.refresh.assert_called_once_with(ALICE, with_for_update=True)


def test_known_content_is_the_file_that_is_there_and_the_blob_is_not_kept(known, enqueue, file, upload):
    known.same = file(name="before.csv")
    assert files.store(ALICE, upload) == (known.same, False)
    assert (known.same.name, known.same.key) == ("before.csv", "0" * 32)
    assert not upload.is_kept
    enqueue.assert_not_called()


def test_known_content_needs_no_room(known, enqueue, file, upload, settings):
    known.same, known.used = file(), settings.upload_quota_bytes
    assert files.store(ALICE, upload) == (known.same, False)


def test_lost_content_is_mended_by_the_same_again(known, enqueue, file, upload):
    known.same = file(damaged_at=NOON, **PREVIEW)
    assert files.store(ALICE, upload) == (known.same, True)
    assert (known.same.key, known.same.damaged_at) == (upload.key, None)
    assert upload.is_kept
    assert preview_of(known.same) == NONE  # it is made again, of the new bytes
    assert known.same.preview_job_id == "a job"


@pytest.mark.parametrize("over", [0, 1])
def test_quota_may_be_filled_and_no_more(known, enqueue, upload, settings, over):
    config.use(replace(settings, upload_quota_bytes=100))
    known.used = 90 + over
    if not over:
        assert files.store(ALICE, upload)[1]
        return
    with pytest.raises(QuotaExceeded) as refusal:
        files.store(ALICE, upload)
    assert refusal.value.extras == {"quota_bytes": 100, "used_bytes": 91}
    assert not upload.is_kept
    enqueue.assert_not_called()


def test_preview_is_asked_for_in_the_background(known, enqueue, upload):
    file, _ = files.store(ALICE, upload)
    enqueue.assert_called_once_with("files.preview", target=file, file_id=file.id, media_type="text/csv")
    assert file.preview_job_id == "a job"


def test_nobody_asks_for_a_preview_that_cannot_be(known, enqueue, upload):
    file, _ = files.store(ALICE, replace(upload, type="application/zip"))
    enqueue.assert_not_called()
    assert file.preview_job_id is None


def test_new_type_has_another_preview(enqueue, file):
    changed = files.change(file(**PREVIEW, preview_job_id="an old job"), {"type": "text/csv"})
    enqueue.assert_called_once_with("files.preview", target=changed, file_id=1, media_type="text/csv")
    assert preview_of(changed) == NONE
    assert changed.preview_job_id == "a job"


def test_new_name_leaves_the_preview_alone(enqueue, file):
    changed = files.change(file(**PREVIEW, preview_job_id="an old job"), {"name": "b", "type": "text/plain"})
    assert changed.name == "b"
    assert preview_of(changed) == PREVIEW
    enqueue.assert_not_called()


def test_content_is_sent_as_an_attachment_known_by_its_digest(file):
    expected = Attachment("0" * 32, 5, "a" * 64, "text/plain", 'attachment; filename="a.txt"')
    assert files.content_of(file()) == expected


def test_preview_is_shown_in_place_and_known_by_its_blob(file):
    assert files.preview_of(file(**PREVIEW)) == Attachment("9" * 32, 3, "9" * 32, "image/webp", "inline")


def test_preview_that_is_being_made_is_to_be_asked_for_again(file, monkeypatch):
    monkeypatch.setattr(Job, "find", lambda _id: Job(status="running"))
    with pytest.raises(JobNotFinished) as refusal:
        files.preview_of(file(preview_job_id="a job"))
    assert refusal.value.headers == {"Retry-After": "2"}


@pytest.mark.parametrize("job", [None, Job(status="failed")])
def test_preview_whose_job_is_over_will_never_be(file, monkeypatch, job):
    monkeypatch.setattr(Job, "find", lambda _id: job)
    with pytest.raises(NotFound, match="no preview"):
        files.preview_of(file(preview_job_id="a job"))


def test_no_job_is_looked_for_where_there_was_none(file, monkeypatch):
    monkeypatch.setattr(Job, "find", Mock(side_effect=AssertionError))
    with pytest.raises(NotFound):
        files.preview_of(file())


def test_link_is_the_storages_own_if_it_has_such(settings, shelf, file, monkeypatch):
    monkeypatch.setattr(files, "now", lambda: NOON.replace(microsecond=7))
    shelf.url = "https://bucket/x"
    assert files.make_link(file(), 60) == {"url": "https://bucket/x", "expires_at": "2026-11-21T12:01:00Z"}


def test_link_to_a_folder_is_ours_for_an_hour(settings, shelf, file, monkeypatch):
    monkeypatch.setattr(files, "now", lambda: NOON)
    monkeypatch.setattr(links, "now", lambda: NOON)
    made = files.make_link(file())
    address, _, token = made["url"].rpartition("/")
    assert address == f"{settings.public_url}/api/v1/links"
    assert links.read(token) == "0" * 32
    assert made["expires_at"] == "2026-11-21T13:00:00Z"


def test_link_finds_its_file(settings, file, monkeypatch):
    find_by_key = Mock(return_value=file())
    monkeypatch.setattr(File, "find_by_key", find_by_key)
    assert files.find_linked(links.sign("0" * 32, datetime.max.replace(tzinfo=UTC))) is find_by_key.return_value
    find_by_key.assert_called_once_with("0" * 32)


def test_link_to_a_deleted_file_and_a_forged_one_look_the_same(settings, monkeypatch):
    find_by_key = Mock(return_value=None)
    monkeypatch.setattr(File, "find_by_key", find_by_key)
    for token in (links.sign("0" * 32, datetime.max.replace(tzinfo=UTC)), "acl_forged"):
        with pytest.raises(NotFound, match="This link has expired, or is not complete"):
            files.find_linked(token)
    assert find_by_key.call_count == 1  # for the forged one nobody asks the database
