"""How bytes go out: whole, in ranges, under conditions, by links – and that no browser runs them."""

import io
import os
from dataclasses import replace
from datetime import timedelta

import pytest

from app import config
from app.helpers import links
from app.models.base import now

URL = "/api/v1/files"
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # bytes come from no database
DATA = bytes(range(256)) * 1200  # more than one piece


@pytest.fixture
def here(alice) -> str:
    answer = alice.post(f"{URL}?name=data.bin", data=DATA)
    assert answer.status_code == 201, answer.text
    return f"{URL}/{answer.json['sha256']}/content"


def test_download_says_what_it_is_and_never_runs(alice):
    page = b"<!doctype html><script>alert(1)</script>"
    file = alice.post(f"{URL}?name=evil.html", data=page).json
    answer = alice.get(f"{URL}/{file['sha256']}/content")
    assert answer.data == page
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="evil.html"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["ETag"] == f'"{file["sha256"]}"'
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert int(answer.headers["Content-Length"]) == len(page)


def test_head_says_the_same_without_the_bytes(alice, here):
    whole, head = alice.get(here), alice.send("HEAD", here)
    assert (head.status_code, head.data) == (200, b"")
    different = {name for name, value in whole.headers.items() if head.headers.get(name) != value}
    assert different <= {"X-Request-Id"}
    whole.close()


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=262143-262145", 262143, 262146),
        ("bytes=307199-", 307199, 307200),
        ("bytes=-5", 307195, 307200),
        ("bytes=-9999999", 0, 307200),
        ("bytes=100-9999999", 100, 307200),
    ],
)
def test_range_is_given(alice, here, asked, start, end):
    answer = alice.get(here, headers={"Range": asked})
    assert (answer.status_code, answer.data) == (206, DATA[start:end])
    assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(DATA)}"
    assert int(answer.headers["Content-Length"]) == end - start


@pytest.mark.parametrize("asked", ["bytes=307200-", "bytes=999999-1000000"])
def test_range_behind_the_end_is_416(alice, here, asked):
    answer = alice.get(here, headers={"Range": asked})
    assert answer.status_code == 416
    assert answer.json["type"].endswith("/problems/range-not-satisfiable")
    assert answer.headers["Content-Range"] == f"bytes */{len(DATA)}"


@pytest.mark.parametrize(
    "asked", ["bytes=5-1", "bytes=a-b", "rows=1-2", "bytes=0-1,5-6", "bytes=", "nonsense", "bytes=-"]
)
def test_range_that_makes_no_sense_gets_the_whole(alice, here, asked):
    answer = alice.get(here, headers={"Range": asked})
    assert (answer.status_code, answer.data) == (200, DATA)


def test_file_without_content_has_no_ranges(alice):
    file = alice.post(f"{URL}?name=empty", data=b"").json
    path = f"{URL}/{file['sha256']}/content"
    assert alice.get(path).data == b""
    assert alice.get(path, headers={"Range": "bytes=0-"}).status_code == 416


def test_conditions(alice, here):
    with alice.get(here) as answer:
        etag = answer.headers["ETag"]
    same = alice.get(here, headers={"If-None-Match": etag})
    assert (same.status_code, same.data) == (304, b"")
    assert alice.get(here, headers={"If-None-Match": '"other"'}).data == DATA
    resumed = alice.get(here, headers={"If-Range": etag, "Range": "bytes=10-19"})
    assert (resumed.status_code, resumed.data) == (206, DATA[10:20])
    for other in ('"other"', "Sat, 21 Nov 2026 00:00:00 GMT"):
        answer = alice.get(here, headers={"If-Range": other, "Range": "bytes=10-19"})
        assert (answer.status_code, answer.data) == (200, DATA)


def test_download_goes_on_while_its_file_is_deleted(alice, here):
    answer = alice.get(here)
    assert alice.delete(here.removesuffix("/content")).status_code == 204
    assert answer.data == DATA


def test_nginx_sends_the_bytes_where_it_may(alice, here, settings):
    config.use(replace(settings, x_accel_prefix="/blobs/"))
    answer = alice.get(here, headers={"Range": "bytes=0-5"})
    assert (answer.status_code, answer.data) == (200, b"")
    path = answer.headers["X-Accel-Redirect"]
    assert path.startswith("/blobs/")
    assert (settings.data_dir / "files" / path.removeprefix("/blobs/")).read_bytes() == DATA
    config.use(settings)


def test_link_gives_the_file_to_whoever_has_it(alice, client, here, settings):
    answer = alice.post(f"{here.removesuffix('content')}links", json={})
    assert answer.status_code == 201
    path = answer.json["url"].removeprefix(settings.public_url)
    given = client.get(path)
    assert given.data == DATA
    assert given.headers["Content-Disposition"] == 'attachment; filename="data.bin"'
    assert client.get(path, headers={"Range": "bytes=3-4"}).data == DATA[3:5]
    assert alice.delete(here.removesuffix("/content")).status_code == 204
    assert client.get(path).status_code == 404


def test_link_expires_and_cannot_be_forged(alice, client, here, settings):
    path = alice.post(f"{here.removesuffix('content')}links", json={"expires_in": 60}).json["url"]
    token = path.rpartition("/")[2]
    key = links.read(token)
    assert key
    late = links.sign(key, now() - timedelta(seconds=1))
    for bad in (late, token[:-1], token + "x", token.replace("acl_", ""), "acl_", "x" * 300, "acl_W10.AAAA"):
        assert client.get(f"/api/v1/links/{bad}").status_code == 404


@pytest.mark.parametrize("body", [{"expires_in": 0}, {"expires_in": 999_999_999}, {"expires_in": "1h"}, {"until": 1}])
def test_bad_link_is_refused(alice, here, body):
    assert alice.post(f"{here.removesuffix('content')}links", json=body).status_code == 422


def test_download_costs_no_memory_for_the_whole(alice, here):
    with alice.get(here) as answer:
        assert max(len(piece) for piece in answer.response) < len(DATA)


def test_v0_keeps_the_contract_of_old(alice, bob):
    data = os.urandom(1000)
    made = alice.post("/service/fileupload", data={"upfile": (io.BytesIO(data), "old.bin")})
    assert made.status_code == 201
    assert set(made.json) == {"file_name", "file_type", "file_size", "file_md5", "file_sha1", "file_sha256"}
    assert (made.json["file_name"], made.json["file_size"]) == ("old.bin", 1000)
    assert alice.post("/service/fileupload", data={"upfile": (io.BytesIO(data), "b")}).status_code == 403
    assert alice.get("/service/fileupload").json == [made.json]
    for digest in ("md5", "sha1", "sha256"):
        assert alice.get(f"/service/fileupload/{made.json[f'file_{digest}']}").json == made.json
    here = f"/service/fileupload/{made.json['file_md5']}"
    changed = alice.put(here, json={"file_name": "new.bin", "file_type": "text/plain"})
    assert (changed.status_code, changed.json["file_name"]) == (201, "new.bin")
    assert alice.put(here, json={"file_name": ""}).status_code == 403
    assert bob.get(here).status_code == 404
    assert bob.put(here, json={"file_name": "x", "file_type": "text/plain"}).status_code == 404
    assert bob.delete(here).status_code == 404
    deleted = alice.delete(here)
    assert deleted.status_code == 201
    assert isinstance(deleted.json, str)
    assert alice.get(here).status_code == 404
    for answer in (made, changed, deleted):
        assert answer.headers["Deprecation"]
        assert "/api/v1/files" in answer.headers["Link"]
