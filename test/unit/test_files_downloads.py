"""How a blob is answered: whole or in part, by us or by nginx, under which headers, and what if it is not there."""

from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
from flask import Blueprint
from flask.testing import FlaskClient

from app import config
from app.helpers import downloads
from app.helpers.content import Attachment
from app.helpers.downloads import send

KEY = "0" * 30 + "ab"
BLOB = Attachment(KEY, 10, "the-etag", "text/html", 'attachment; filename="a"')


@pytest.fixture
def client(serve, shelf) -> FlaskClient:
    blueprint = Blueprint("blobs", __name__)
    blueprint.get("/")(lambda: send(BLOB))
    shelf.whole[KEY] = b"0123456789"
    return serve(blueprint)


@pytest.fixture
def notify(monkeypatch) -> Mock:
    mock = Mock()
    monkeypatch.setattr(downloads.monitoring, "notify", mock)
    return mock


def test_blob_is_sent_so_that_no_browser_runs_it(client):
    answer = client.get("/")
    assert (answer.status_code, answer.data) == (200, b"0123456789")
    del answer.headers["Date"]
    assert dict(answer.headers) == {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Content-Type": "text/html",
        "Content-Disposition": 'attachment; filename="a"',
        "Content-Length": "10",
        "ETag": '"the-etag"',
    }


@pytest.mark.parametrize(
    ("method", "headers", "status"), [("HEAD", {}, 200), ("GET", {"If-None-Match": '"the-etag"'}, 304)]
)
def test_where_no_bytes_are_needed_the_storage_is_not_asked(client, shelf, method, headers, status):
    shelf.away = OSError("away")
    answer = client.open("/", method=method, headers=headers)
    assert (answer.status_code, answer.data) == (status, b"")
    assert answer.headers["ETag"] == '"the-etag"'


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("0-0", 0, 1), ("2-4", 2, 5), ("7-", 7, 10), ("-3", 7, 10), ("-99", 0, 10), ("5-99", 5, 10)],
)
def test_range_is_cut_to_what_is_there(client, asked, start, end):
    answer = client.get("/", headers={"Range": f"bytes={asked}"})
    assert (answer.status_code, answer.data) == (206, b"0123456789"[start:end])
    assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/10"
    assert answer.headers["Content-Length"] == str(end - start)


def test_range_behind_the_end_is_refused_with_the_size(client):
    answer = client.get("/", headers={"Range": "bytes=10-"})
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, "bytes */10")


@pytest.mark.parametrize("asked", ["rows=1-2", "bytes=0-1,5-6", "bytes=4-2", "nonsense"])
def test_range_that_nobody_here_knows_gets_the_whole(client, asked):
    assert client.get("/", headers={"Range": asked}).status_code == 200


@pytest.mark.parametrize(
    ("version", "status"), [('"the-etag"', 206), ('"another"', 200), ("Sat, 21 Nov 2026 00:00:00 GMT", 200)]
)
def test_download_goes_on_only_in_the_same_version(client, version, status):
    assert client.get("/", headers={"Range": "bytes=5-", "If-Range": version}).status_code == status


def test_nginx_gets_the_path_and_minds_the_range(client, shelf, settings):
    config.use(replace(settings, x_accel_prefix="/blobs/"))
    shelf.away = OSError("away")
    shelf.path_of = lambda key: Path("/srv/files/ab") / key
    answer = client.get("/", headers={"Range": "bytes=0-5"})
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["X-Accel-Redirect"] == f"/blobs/ab/{KEY}"


def test_what_is_in_a_bucket_nginx_has_no_file_of(client, settings):
    config.use(replace(settings, x_accel_prefix="/blobs/"))
    answer = client.get("/")
    assert (answer.data, "X-Accel-Redirect" in answer.headers) == (b"0123456789", False)


def test_lost_bytes_are_410_and_told_as_one_kind(client, shelf, notify):
    del shelf.whole[KEY]
    answer = client.get("/")
    assert (answer.status_code, answer.json["title"]) == (410, "Content lost")
    assert notify.call_args.kwargs == {"fingerprint": "content-lost"}


def test_storage_that_is_away_is_503_and_told(client, shelf, notify):
    shelf.away = OSError("disk on fire")
    answer = client.get("/")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert "fire" not in answer.text
    notify.assert_called_once_with(shelf.away)
