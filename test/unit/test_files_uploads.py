"""How an upload is received: what is refused and when, what stays in the storage, and what is thrown away."""

import base64
import hashlib
import io
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from flask import Flask, abort, g
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import config
from app.helpers import media_types, problems, uploads
from app.helpers.content import Upload
from app.helpers.uploads import FORM_OVERHEAD_BYTES, takes_file
from app.models import File

LIMIT, QUOTA, USED = 1000, 5000, 4500  # bytes of a file, of an account, and of what it has already
HEAD = b'--x\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n'
CHUNKED = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
CUT_OFF = {"wsgi.input_terminated": True, "CONTENT_LENGTH": "5"}


@pytest.fixture
def known(settings, monkeypatch) -> SimpleNamespace:
    """What the database says: the account, which may be deleted while its upload comes, and what its files hold."""
    config.use(replace(settings, max_upload_bytes=LIMIT, upload_quota_bytes=QUOTA))
    said = SimpleNamespace(account="the account", used=0, session=Mock())
    said.session.get.side_effect = lambda _model, _id: said.account
    monkeypatch.setattr(uploads, "session", said.session)
    monkeypatch.setattr(File, "bytes_of", lambda _user_id: said.used)
    return said


@pytest.fixture
def view() -> Mock:
    """What the application does with an upload: it keeps it, unless the test says something else."""
    return Mock(side_effect=lambda upload: upload.keep() or "kept")


@pytest.fixture
def client(known, shelf, view) -> FlaskClient:
    app = Flask("unit")
    problems.init(app)
    app.before_request(lambda: setattr(g, "actor", SimpleNamespace(id=7)))
    uploads.init(app)

    @app.post("/")
    @takes_file
    def upload(upload: Upload) -> object:
        return view(upload)

    @app.post("/other")
    def other() -> str:
        return "no file here"

    return app.test_client()


@pytest.fixture
def notify(monkeypatch) -> Mock:
    mock = Mock()
    monkeypatch.setattr(uploads.monitoring, "notify", mock)
    return mock


def form(*parts: tuple[bytes, bytes, bytes], end: bytes = b"--x--\r\n") -> dict:
    """A request with these parts: field, file's name and content."""
    body = b"".join(HEAD % (field, name) + data + b"\r\n" for field, name, data in parts) + end
    return {"data": body, "headers": {"Content-Type": "multipart/form-data; boundary=x"}}


def content_digest(data: bytes) -> dict[str, str]:
    return {"Content-Digest": f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"}


def slug(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.json["type"].rpartition("/")[2]


def received(view: Mock) -> Upload:
    [call] = view.call_args_list
    return call.args[0]


@pytest.mark.parametrize(
    "sent",
    [
        {"data": b"a,b\n", "query_string": {"name": "x/guests.csv"}},
        {"data": b"a,b\n", "headers": {"Content-Disposition": "attachment; filename=guests.csv"}},
        form((b"upfile", b"guests.csv", b"a,b\n")),
    ],
    ids=["query", "header", "form"],
)
def test_view_gets_a_file_that_is_stored_and_described(client, shelf, view, sent):
    view.side_effect = lambda upload: shelf.writers[0].end  # before the view is called
    assert client.post("/", **sent).text == "finished"
    upload = received(view)
    assert (upload.name, upload.type, upload.size) == ("guests.csv", "text/csv", 4)
    assert upload.digests == {name: hashlib.new(name, b"a,b\n").hexdigest() for name in ("sha256", "sha1", "md5")}
    assert shelf.writers[0].key == upload.key


@pytest.mark.parametrize("sent", [{"data": b""}, form((b"upfile", b"", b""))], ids=["body", "form"])
def test_file_without_a_name_is_called_file(client, view, sent):
    client.post("/", **sent)
    assert received(view).name == "file"


def test_other_views_keep_their_bodies(client, shelf):
    assert client.post("/other", data=b"x").text == "no file here"
    assert client.post("/nowhere", data=b"x").status_code == 404
    assert shelf.writers == []


@pytest.mark.parametrize(
    ("act", "kept"),
    [
        (lambda upload: upload.keep() or "kept", True),
        (lambda _upload: "not needed", False),
        (lambda upload: upload.keep() or ("refused after all", 409), False),
        (lambda upload: upload.keep() or abort(409), False),
        (lambda upload: upload.keep() or 1 / 0, False),
    ],
    ids=["kept", "not kept", "kept and refused", "a problem", "a bug"],
)
def test_blob_stays_only_if_it_was_kept_and_the_answer_is_good(client, shelf, view, act, kept):
    view.side_effect = act
    client.post("/", data=b"x")
    assert list(shelf.whole) == [received(view).key] * kept


def test_blob_that_cannot_be_thrown_away_is_left_to_the_sweep(client, shelf, view, caplog):
    view.side_effect = lambda _upload: setattr(shelf, "away", OSError("away")) or "not needed"
    assert client.post("/", data=b"x").text == "not needed"
    assert "is left to the sweep: away" in caplog.text


def test_account_that_was_deleted_meanwhile_uploads_nothing(client, shelf, known, view):
    known.account = None
    assert client.post("/", data=b"x").status_code == 401
    assert shelf.whole == {}
    view.assert_not_called()


def test_nothing_waits_for_an_upload(client, known, shelf, monkeypatch):
    """Neither a transaction nor another request's turn."""
    events: list[str] = []

    @contextmanager
    def stepping_aside():
        events.append(f"aside, {known.session.rollback.call_count} ended, {len(shelf.writers)} begun")
        yield
        events.append(f"back, {len(shelf.whole)} stored")

    monkeypatch.setattr(uploads.doors, "stepping_aside", stepping_aside)
    client.post("/", data=b"x")
    assert events == ["aside, 1 ended, 0 begun", "back, 1 stored"]


def test_storage_that_is_away_is_told_and_the_client_may_try_again(client, shelf, notify):
    shelf.away = OSError("disk on fire")
    answer = client.post("/", data=b"x")
    assert slug(answer) == (503, "unavailable")
    assert answer.headers["Retry-After"]
    assert "fire" not in answer.text
    notify.assert_called_once_with(shelf.away)


@pytest.mark.parametrize(
    ("used", "size", "refusal", "extras"),
    [
        (0, LIMIT + FORM_OVERHEAD_BYTES + 1, "payload-too-large", {"max_bytes": LIMIT}),
        (QUOTA, FORM_OVERHEAD_BYTES + 1, "quota-exceeded", {"quota_bytes": QUOTA, "used_bytes": QUOTA}),
    ],
)
def test_what_is_announced_to_be_too_much_is_not_even_begun(client, shelf, known, used, size, refusal, extras):
    known.used = used
    answer = client.post("/", environ_overrides={"CONTENT_LENGTH": str(size)})
    assert slug(answer) == (413, refusal)
    assert extras.items() <= answer.json.items()
    assert shelf.writers == []


@pytest.mark.parametrize(
    ("used", "most", "refusal"), [(0, LIMIT, "payload-too-large"), (USED, QUOTA - USED, "quota-exceeded")]
)
@pytest.mark.parametrize("way", [lambda data: {"data": data}, lambda data: form((b"upfile", b"a", data))])
def test_what_turns_out_to_be_too_much_is_abandoned(client, shelf, known, used, most, refusal, way):
    known.used = used
    assert client.post("/", **way(b"x" * most)).status_code == 200
    assert slug(client.post("/", **way(b"x" * (most + 1)))) == (413, refusal)
    assert [writer.end for writer in shelf.writers] == ["finished", "abandoned"]


MALFORMED, INVALID = (400, "malformed-request"), (422, "validation-error")
LONG_FIELD = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"y" * (FORM_OVERHEAD_BYTES + 1)
REFUSED = {
    "endless": ({"data": b"x", "environ_overrides": CHUNKED}, (411, "length-required")),
    "cut off": ({"input_stream": io.BytesIO(b"x"), "environ_overrides": CUT_OFF}, MALFORMED),
    "damaged": ({"data": b"x", "headers": content_digest(b"y")}, (422, "digest-mismatch")),
    "no digest": ({"data": b"x", "headers": {"Digest": "MD5=?"}}, MALFORMED),
    "bad name": ({"data": b"x", "query_string": {"name": "a\0"}}, INVALID),
    "no file": (form((b"other", b"a", b"x")), INVALID),
    "two files": (form((b"upfile", b"a", b"x"), (b"upfile", b"b", b"y")), MALFORMED),
    "no end": (form((b"upfile", b"a", b"x"), end=b""), MALFORMED),
    "no boundary": ({"data": b"x", "headers": {"Content-Type": "multipart/form-data"}}, MALFORMED),
    "long field": (form(end=LONG_FIELD), MALFORMED),
}


@pytest.mark.parametrize(("sent", "refusal"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_as_it_should_be_leaves_nothing(client, shelf, view, sent, refusal):
    assert slug(client.post("/", **sent)) == refusal
    assert shelf.whole == {}
    assert all(writer.end == "abandoned" for writer in shelf.writers)
    view.assert_not_called()


def test_chunked_body_may_come_with_its_digest(client, view):
    sent = {"input_stream": io.BytesIO(b"x"), "environ_overrides": CHUNKED, "headers": content_digest(b"x")}
    assert client.post("/", **sent).status_code == 200
    assert received(view).size == 1


@pytest.mark.parametrize("of", ["the file", "the form"])
def test_digest_of_a_form_is_the_files_or_the_whole_bodys(client, of):
    sent = form((b"upfile", b"a", b"x"))
    digest = content_digest(b"x" if of == "the file" else sent["data"])
    assert client.post("/", data=sent["data"], headers=sent["headers"] | digest).status_code == 200


def test_type_is_told_by_the_first_bytes_alone(client, monkeypatch):
    media_type = Mock(return_value="text/plain")
    monkeypatch.setattr(media_types, "media_type", media_type)
    monkeypatch.setattr(media_types, "HEAD_BYTES", 10)
    monkeypatch.setattr(uploads, "CHUNK_BYTES", 4)
    client.post("/?name=a", data=b"0123456789abcdef")
    media_type.assert_called_once_with(b"0123456789", "a")
