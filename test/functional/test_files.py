"""`/api/v1/files`: metadata, and who may see what. Bytes come and go in test_uploads.py and test_downloads.py."""

import hashlib
import io

import pytest

from app.db import session
from app.models import File
from app.models.base import now

TEXT = "Gäste: Ana, Björn, 蜡烛\n".encode()


def upload(person, data: bytes = TEXT, name: str = "guests.txt", **options):
    return person.post("/api/v1/files", data={"upfile": (io.BytesIO(data), name)}, **options)


def stored(person, data: bytes = TEXT, name: str = "guests.txt"):
    answer = upload(person, data, name)
    assert answer.status_code == 201, answer.text
    return answer.json


def test_upload_is_described_by_its_content(alice):
    answer = upload(alice)
    file = answer.json
    assert answer.status_code == 201
    for digest in ("sha256", "sha1", "md5"):
        assert file[digest] == hashlib.new(digest, TEXT).hexdigest()
    assert (file["name"], file["type"], file["size"]) == ("guests.txt", "text/plain", len(TEXT))
    assert answer.headers["Location"] == f"/api/v1/files/{file['sha256']}"
    assert alice.get(answer.headers["Location"]).json == file


@pytest.mark.parametrize("by", ["sha256", "sha1", "md5", "id"])
def test_file_is_found_by_each_of_its_hashes(alice, by):
    file = stored(alice)
    assert alice.get(f"/api/v1/files/{str(file[by]).upper()}").json == file


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", ["0" * 64, "0" * 40, "0" * 32, "x" * 64, "0", "-1", "9" * 30, "..%2f..%2fetc", "%00"])
@pytest.mark.parametrize("path", ["", "/content", "/preview"])
def test_unknown_hash_is_404(alice, name, path):
    stored(alice)
    assert alice.get(f"/api/v1/files/{name}{path}").status_code == 404


def test_same_content_is_found_and_stored_once(alice, settings):
    first = stored(alice, name="one.txt")
    again = upload(alice, name="two.txt")
    assert (again.status_code, again.json) == (200, first)
    assert again.headers["Location"] == f"/api/v1/files/{first['sha256']}"
    assert len(alice.get("/api/v1/files").json["items"]) == 1
    assert len([path for path in (settings.data_dir / "files").rglob("*") if path.is_file()]) == 1


def test_two_accounts_may_have_the_same_content(alice, bob):
    file = stored(alice)
    assert stored(bob)["sha256"] == file["sha256"]
    assert alice.delete(f"/api/v1/files/{file['sha256']}").status_code == 204
    assert bob.get(f"/api/v1/files/{file['sha256']}/content").data == TEXT


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("PUT", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("GET", "/content"),
        ("GET", "/preview"),
        ("POST", "/links"),
    ],
)
def test_stranger_finds_nothing(alice, bob, method, path):
    file = stored(alice)
    body = {"name": "mine", "type": "text/plain"} if method in ("PUT", "PATCH") else {}
    answer = bob.send(method, f"/api/v1/files/{file['sha256']}{path}", json=body if method != "GET" else None)
    assert answer.status_code == 404
    assert bob.get(f"/api/v1/files/{file['id']}").status_code == 404


def test_name_and_type_are_changed_and_nothing_else(alice):
    file = stored(alice)
    here = f"/api/v1/files/{file['sha256']}"
    answer = alice.patch(here, json={"name": "قائمة.csv"})
    assert (answer.status_code, answer.json["name"], answer.json["type"]) == (200, "قائمة.csv", "text/plain")
    answer = alice.put(here, json={"name": "b.csv", "type": "text/csv"})
    assert (answer.status_code, answer.json["name"], answer.json["type"]) == (200, "b.csv", "text/csv")
    assert answer.json["sha256"] == file["sha256"]


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": " "},
        {"name": "../../etc/passwd"},
        {"name": "a\\b"},
        {"name": "a\x00b"},
        {"name": "a\nb"},
        {"name": "a\n"},
        {"type": "text/csv\n"},
        {"name": "x" * 256},
        {"name": None},
        {"type": "text"},
        {"type": "text/html; charset=utf-8\r\nX-Evil: 1"},
        {"type": "TEXT/PLAIN "},
        {"type": "x/" + "y" * 200},
        {"type": 7},
        {"size": 0},
        {"sha256": "0" * 64},
        [],
    ],
)
def test_bad_change_is_refused_and_changes_nothing(alice, body):
    file = stored(alice)
    here = f"/api/v1/files/{file['sha256']}"
    answer = alice.patch(here, json=body)
    assert answer.status_code == 422
    assert answer.json["errors"]
    assert alice.get(here).json == file


def test_put_needs_both(alice):
    file = stored(alice)
    answer = alice.put(f"/api/v1/files/{file['sha256']}", json={"name": "x"})
    assert [error["pointer"] for error in answer.json["errors"]] == ["#/type"]


def test_change_heeds_if_match(alice):
    file = stored(alice)
    here = f"/api/v1/files/{file['sha256']}"
    etag = alice.get(here).headers["ETag"]
    assert alice.patch(here, json={"name": "x"}, headers={"If-Match": etag}).status_code == 200
    assert alice.patch(here, json={"name": "y"}, headers={"If-Match": etag}).status_code == 412
    assert alice.delete(here, headers={"If-Match": etag}).status_code == 412


def test_deleted_file_is_gone(alice):
    file = stored(alice)
    here = f"/api/v1/files/{file['sha256']}"
    assert alice.delete(here).status_code == 204
    for path in (here, f"{here}/content"):
        assert alice.get(path).status_code == 404
    assert upload(alice).status_code == 201


def test_list_is_filtered_sorted_and_paged(alice):
    for number in range(5):
        stored(alice, f"{number}\n".encode(), f"list-{number}.csv" if number % 2 else f"note-{number}.txt")
    names = [file["name"] for file in alice.get("/api/v1/files?sort=created_at").json["items"]]
    assert names == ["note-0.txt", "list-1.csv", "note-2.txt", "list-3.csv", "note-4.txt"]
    assert [file["name"] for file in alice.get("/api/v1/files?type=text/csv").json["items"]] == [
        "list-3.csv",
        "list-1.csv",
    ]
    assert [file["name"] for file in alice.get("/api/v1/files?q=NOTE-4").json["items"]] == ["note-4.txt"]
    first = alice.get("/api/v1/files?page_size=3").json
    rest = alice.get(f"/api/v1/files?page_size=3&page_token={first['next_page_token']}").json
    assert len(first["items"]) == 3
    assert len(rest["items"]) == 2
    assert "next_page_token" not in rest


@pytest.mark.parametrize("query", ["sort=size", "sha=1", "created_before=yesterday", "page_size=-1"])
def test_bad_query_is_422(alice, query):
    assert alice.get(f"/api/v1/files?{query}").status_code == 422


def test_lost_bytes_are_told_and_mended_by_the_same_upload(alice, settings):
    file = stored(alice)
    [blob] = [path for path in (settings.data_dir / "files").rglob("*") if path.is_file()]
    blob.unlink()
    answer = alice.get(f"/api/v1/files/{file['sha256']}/content")
    assert answer.status_code == 410
    assert answer.json["type"].endswith("/problems/content-lost")
    row = session.get_one(File, file["id"])
    row.damaged_at = now()
    session.commit()
    assert upload(alice).status_code == 201
    assert alice.get(f"/api/v1/files/{file['sha256']}/content").data == TEXT
    assert alice.get(f"/api/v1/files/{file['sha256']}").json["damaged_at"] is None


def test_files_go_with_their_account(alice):
    stored(alice)
    answer = alice.delete("/api/v1/user", json={"current_password": "correct horse battery"})
    assert answer.status_code == 204, answer.text
    assert session.query(File).count() == 0


def test_named_token_needs_its_scope(alice, client):
    made = alice.post("/api/v1/user/tokens", json={"name": "reader", "scopes": ["files:read"]}).json
    headers = {"Authorization": f"Bearer {made['token']}"}
    assert client.get("/api/v1/files", headers=headers).status_code == 200
    answer = client.post("/api/v1/files", data=b"x", headers=headers)
    assert answer.status_code == 403
    assert answer.json["required_scope"] == "files:write"
