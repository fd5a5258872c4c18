"""Guest lists: which files are worth a job, what a row becomes, what is counted, and what is left where."""

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from flask import jsonify
from flask.testing import FlaskClient

from app import config
from app.controllers import guest_lists as door
from app.errors import ContentLost, NotFound, PayloadTooLarge, QuotaExceeded, TableUnreadable, ValidationFailed
from app.helpers.sink import Sink
from app.models import Event, File, User
from app.models.base import now
from app.services import guest_lists as service
from app.workers import guest_lists as jobs

ALICE = SimpleNamespace(id=7)
EVENT = SimpleNamespace(id=3, user_id=7, name="Summer/party")
KEY, SHA256 = "0" * 32, "a" * 64
URL = "/api/v1/events/3/guests"


@pytest.fixture
def enqueue(monkeypatch) -> Mock:
    mock = Mock(return_value="a job")
    monkeypatch.setattr(service, "enqueue", mock)
    return mock


@pytest.fixture
def client(serve, monkeypatch) -> FlaskClient:
    monkeypatch.setattr(Event, "find_for", Mock(return_value=EVENT))
    monkeypatch.setattr(door, "accepted", lambda job: (jsonify(job), 202))
    return serve(door.bp, actor=ALICE)


def test_import_asks_for_the_file_to_be_read(client, enqueue, find_for, file):
    find_for.return_value = file(type="text/csv")
    assert client.post(f"{URL}/import", json={"file": SHA256}).status_code == 202
    find_for.assert_called_once_with(ALICE, SHA256)
    enqueue.assert_called_once_with("guest_lists.read", target=EVENT, event_id=3, file_id=1)


def test_export_asks_for_the_guests_to_be_written(client, enqueue):
    assert client.post(f"{URL}/export").status_code == 202
    enqueue.assert_called_once_with("guest_lists.write", target=EVENT, event_id=3)


@pytest.mark.parametrize("verb", ["import", "export"])
def test_strangers_event_is_404(client, enqueue, monkeypatch, verb):
    monkeypatch.setattr(Event, "find_for", Mock(side_effect=NotFound))
    assert client.post(f"{URL}/{verb}", json={"file": SHA256}).status_code == 404
    enqueue.assert_not_called()


@pytest.mark.parametrize("body", [{}, {"file": "x"}, {"file": "a" * 33}, {"file": 7}, {"file": SHA256, "x": 1}, []])
def test_bad_body_never_reaches_the_service(client, enqueue, body):
    assert client.post(f"{URL}/import", json=body).status_code == 422
    enqueue.assert_not_called()


@pytest.mark.parametrize("media_type", ["text/csv", "text/plain", "application/octet-stream", "text/x-anything"])
def test_what_may_be_a_table_is_tried(enqueue, find_for, file, media_type):
    find_for.return_value = file(type=media_type, size=service.LARGEST_BYTES)
    assert service.read(EVENT, ALICE, SHA256) == "a job"


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"type": "image/png"}, "image/png"),
        ({"type": "application/pdf"}, "application/pdf"),
        ({"damaged_at": now()}, "damaged"),
        ({"size": service.LARGEST_BYTES + 1}, "256 MiB"),
    ],
)
def test_what_can_be_no_table_is_refused(enqueue, find_for, file, facts, words):
    find_for.return_value = file(**facts)
    with pytest.raises(ValidationFailed) as refusal:
        service.read(EVENT, ALICE, SHA256)
    [error] = refusal.value.extras["errors"]
    assert error["pointer"] == "#/file"
    assert words in error["detail"]
    enqueue.assert_not_called()


def test_file_that_is_not_there_is_a_bad_body_and_no_404(enqueue, find_for):
    find_for.side_effect = NotFound
    with pytest.raises(ValidationFailed):
        service.read(EVENT, ALICE, SHA256)


@pytest.fixture
def world(settings, shelf, file, monkeypatch) -> SimpleNamespace:
    """What the jobs see: the file, the event, and a database that takes all guests but those in `there`."""
    made = SimpleNamespace(file=file(), event=EVENT, there=set(), added=[], batches=[], checkpoint=Mock(), store=Mock())
    made.session, made.used = Mock(), 0

    def execute(_statement, rows):
        made.batches.append(len(rows))
        made.added += [row for row in rows if row["email_key"] not in made.there]

    made.session.execute.side_effect = execute
    made.session.scalar.side_effect = lambda _query: made.event and made.event.id
    made.session.scalars.side_effect = lambda _query: SimpleNamespace(one=lambda: len(made.added))
    made.store.side_effect = lambda _owner, upload: (SimpleNamespace(sha256=upload.digests["sha256"]), True)
    monkeypatch.setattr(jobs, "session", made.session)
    monkeypatch.setattr(jobs, "insert_unless_there", Mock())
    monkeypatch.setattr(jobs, "checkpoint", made.checkpoint)
    monkeypatch.setattr(jobs.files, "store", made.store)
    monkeypatch.setattr(File, "find", lambda _id: made.file)
    monkeypatch.setattr(File, "bytes_of", lambda _id: made.used)
    monkeypatch.setattr(Event, "find", lambda _id: made.event)
    monkeypatch.setattr(User, "find_or_fail", lambda _id: ALICE)
    return made


@pytest.fixture
def read(world, shelf) -> Callable[[str], dict]:
    def run(text: str) -> dict:
        shelf.whole[KEY] = text.encode()
        return jobs.read(3, 1)

    return run


def report_of(world, shelf) -> list[list[str]]:
    [call] = world.store.call_args_list
    text = shelf.whole[call.args[1].key].decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


def test_row_becomes_a_guest(read, world):
    assert read("Name,E-mail,Role\n Ana , Ana@Example.com,speaker\n,b@example.com,\n") == {
        "added": 2,
        "unchanged": 0,
        "refused": 0,
        "report": None,
    }
    facts = ("event_id", "email", "email_key", "name", "role")
    assert [tuple(row[name] for name in facts) for row in world.added] == [
        (3, "Ana@Example.com", "ana@example.com", "Ana", "speaker"),
        (3, "b@example.com", "b@example.com", "", "guest"),
    ]
    world.store.assert_not_called()


def test_who_is_there_counts_as_unchanged(read, world):
    world.there = {"a@example.com"}
    result = read("email\na@example.com\nb@example.com\n")
    assert (result["added"], result["unchanged"]) == (1, 1)


def test_refused_rows_are_told_with_their_line_and_cells(read, world, shelf):
    result = read('email,name,x\n\nbad,=1,\na@example.com,,\nA@example.com,,"y"\n,,z\nb@example.com,b,c,d\n"c\n')
    assert (result["added"], result["refused"]) == (1, 5)
    assert report_of(world, shelf) == [
        ["line", "reason", "email", "name", "x"],
        ["3", "email must be an e-mail address", "bad", "'=1", ""],
        ["5", "the same address as in line 4", "A@example.com", "", "y"],
        ["6", "email is required", "", "", "z"],
        ["7", "has more cells than there are columns", "b@example.com", "b", "c", "d"],
        ["8", "has a quote that is not closed, or stands in the wrong place", '"c'],
    ]
    assert result["report"].startswith("/api/v1/files/")


def test_progress_is_told_batch_by_batch(read, world, monkeypatch):
    monkeypatch.setattr(jobs, "READ_AT_ONCE", 2)
    read("email\na@example.com\nb@example.com\nbad\nworse\nc@example.com\n")
    calls = [(call.args, call.kwargs) for call in world.checkpoint.call_args_list]
    assert calls == [
        ((), {}),
        ((0, 5), {}),
        ((2, 5), {"failed": 0}),
        ((2, 5), {"failed": 2}),
        ((3, 5), {"failed": 2}),
    ]
    assert world.batches == [2, 1]  # nothing is inserted where there is nobody


def test_no_transaction_is_open_while_rows_are_looked_at(read, world, monkeypatch):
    order = []
    world.checkpoint.side_effect = lambda *_args, **_options: order.append("commit")
    real = jobs._fault_of
    monkeypatch.setattr(jobs, "_fault_of", lambda *args: order.append("look") or real(*args))
    monkeypatch.setattr(jobs, "_add", lambda *_args: order.append("add") or True)
    read("email\na@example.com\n")
    assert order == ["commit", "commit", "look", "add", "commit"]


def test_deleted_event_ends_the_import(read, world):
    world.event = None
    assert read("email\na@example.com\nbad\n") == {"added": 0, "unchanged": 0, "refused": 1, "report": None}
    world.store.assert_not_called()


def test_deleted_or_lost_file_ends_the_import(world):
    with pytest.raises(ContentLost):
        jobs.read(3, 1)
    world.file = None
    with pytest.raises(NotFound):
        jobs.read(3, 1)


def test_list_of_too_many_rows_is_refused_before_anything_is_added(read, world, monkeypatch):
    monkeypatch.setattr(jobs, "MOST_ROWS", 1)
    with pytest.raises(TableUnreadable, match="has 2 rows"):
        read("email\na@example.com\nb@example.com\n")
    assert world.batches == []


def test_import_that_fails_leaves_no_report(read, world, shelf):
    world.session.execute.side_effect = ConnectionError
    with pytest.raises(ConnectionError):
        read("email\na@example.com\n")
    assert [writer.end for writer in shelf.writers] == ["abandoned"]


def test_report_may_be_larger_than_an_upload(read, settings):
    config.use(replace(settings, max_upload_bytes=10))
    assert read("email\na@example.com\nbad\n")["report"]


def test_report_without_room_says_what_was_done(read, world):
    world.store.side_effect = QuotaExceeded(quota_bytes=1)
    with pytest.raises(QuotaExceeded, match="1 guests were added, but the report has no room") as refusal:
        read("email\na@example.com\nbad\n")
    assert refusal.value.extras == {"quota_bytes": 1}


@pytest.fixture
def write(world, monkeypatch) -> Callable[..., dict]:
    def run(*pages: list[tuple]) -> dict:
        monkeypatch.setattr(jobs, "_guests_of", lambda _event_id: iter(pages))
        return jobs.write(3)

    return run


def test_guests_become_lines(write, world, shelf):
    moment = now().replace(2026, 11, 21, 13, 30, 0, 0)
    result = write(
        [("a@example.com", "Ana, Bob", "guest", "invited", moment, None)],
        [("-b@example.com", "=1", "x", "added", None, None)],
    )
    [call] = world.store.call_args_list
    upload = call.args[1]
    assert shelf.whole[upload.key].decode("utf-8-sig") == (
        "email,name,role,status,invited_at,answered_at\r\n"
        'a@example.com,"Ana, Bob",guest,invited,2026-11-21T13:30:00Z,\r\n'
        "'-b@example.com,'=1,x,added,,\r\n"
    )
    assert (upload.name, upload.type) == ("guests of Summer_party.csv", "text/csv")
    assert result == {"href": f"/api/v1/files/{upload.digests['sha256']}", "guests": 2}


def test_transaction_is_closed_before_each_page_is_written(write, world, monkeypatch):
    order = []
    world.checkpoint.side_effect = lambda *_args: order.append("commit")
    real = Sink.write
    monkeypatch.setattr(Sink, "write", lambda self, data: order.append("write") or real(self, data))
    write([("a@example.com", "", "", "", None, None)], [("b@example.com", "", "", "", None, None)])
    assert order == ["write", "commit", "write", "commit", "write", "commit"]


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_deleted_event_ends_the_export(write, world, when):
    def forget(*_args) -> None:
        world.event = None

    world.checkpoint.side_effect = forget
    if when == "before":
        forget()
    assert write() == {"href": None, "guests": 0}
    world.store.assert_not_called()


@pytest.mark.parametrize("over", [0, 1])
def test_export_stops_where_the_accounts_room_ends(write, world, shelf, settings, over):
    header = len("\ufeffemail,name,role,status,invited_at,answered_at\r\n".encode())
    config.use(replace(settings, upload_quota_bytes=header + 5))
    world.used = 5 + over
    if not over:
        assert write()["href"]
        return
    with pytest.raises(QuotaExceeded):
        write()
    assert [writer.end for writer in shelf.writers] == ["abandoned"]


def test_sink_takes_no_more_than_one_file_may_have(settings, shelf):
    config.use(replace(settings, max_upload_bytes=3))
    with pytest.raises(PayloadTooLarge), Sink(3) as sink:
        sink.write(b"1234")
    assert shelf.writers[0].end == "abandoned"


def test_pages_follow_one_another(monkeypatch):
    page = [SimpleNamespace(created_at=now(), id=5)]
    session = Mock()
    session.execute.return_value.all.side_effect = [page, page, []]
    monkeypatch.setattr(jobs, "session", session)
    assert list(jobs._guests_of(3)) == [page, page]
    assert [" > " in str(call.args[0]) for call in session.execute.call_args_list] == [False, True, True]
