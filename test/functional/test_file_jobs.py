"""Jobs about files: previews, the check of all bytes, the sweep of blobs that nobody wants."""

import io
import os
from datetime import timedelta

import pytest
from PIL import Image
from sqlalchemy import update

from app.db import session
from app.helpers.storage import new_key, storage
from app.models import File, Job
from app.models.base import now
from app.queue import enqueue
from app.workers import files as jobs

URL = "/api/v1/files"
LONG_AGO = 7200  # seconds


@pytest.fixture
def blobs(settings):
    return lambda: {path.name: path for path in (settings.data_dir / "files").rglob("*") if path.is_file()}


def store(person, data: bytes, name: str = "x"):
    answer = person.post(URL, query_string={"name": name}, data=data)
    assert answer.status_code == 201, answer.text
    return answer.json


def run(name: str, work, **args):
    job_id = enqueue(name, **args).id
    session.commit()
    work()
    return session.get_one(Job, job_id, populate_existing=True)


def picture(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 30)).save(file, "PNG")
    return file.getvalue()


def age(path) -> None:
    long_ago = now().timestamp() - LONG_AGO
    os.utime(path, (long_ago, long_ago))


def test_picture_gets_a_small_one(alice, work):
    file = store(alice, picture(1600, 800), "party.png")
    here = f"{URL}/{file['sha256']}/preview"
    waiting = alice.get(here)
    assert waiting.status_code == 409
    assert waiting.json["type"].endswith("/problems/job-not-finished")
    work()
    job = alice.get(f"/api/v1/jobs/{file['preview_job_id']}").json
    assert (job["status"], job["result"]["href"]) == ("succeeded", here)
    assert job["target"]["href"] == f"{URL}/{file['id']}"
    answer = alice.get(here)
    assert answer.status_code == 200
    assert Image.open(io.BytesIO(answer.data)).size == (512, 256)
    assert answer.headers["Content-Disposition"] == "inline"
    assert alice.get(here, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assert alice.get(f"/api/v1/jobs/{file['preview_job_id']}/result").headers["Location"] == here


def test_table_shows_its_first_rows(alice, work):
    file = store(alice, b"email;name\nana@example.com;Ana\n", "guests.csv")
    work()
    answer = alice.get(f"{URL}/{file['sha256']}/preview")
    assert answer.json == {"columns": ["email", "name"], "rows": [["ana@example.com", "Ana"]]}


def test_what_has_no_preview_says_so(alice):
    file = store(alice, b"\0\1\2\3", "x.bin")
    assert file["preview_job_id"] is None
    assert alice.get(f"{URL}/{file['sha256']}/preview").status_code == 404


def test_broken_picture_fails_its_job_at_once_and_the_worker_goes_on(alice, work):
    broken = store(alice, picture(800, 800)[:200], "broken.png")
    good = store(alice, picture(10, 10), "good.png")
    work()
    job = alice.get(f"/api/v1/jobs/{broken['preview_job_id']}").json
    assert (job["status"], job["attempt"]) == ("failed", 1)
    assert job["error"]["type"].endswith("/problems/preview-impossible")
    assert alice.get(f"{URL}/{broken['sha256']}/preview").status_code == 404
    assert alice.get(f"{URL}/{good['sha256']}/preview").data


def test_preview_follows_the_type(alice, work):
    file = store(alice, b"a,b\n1,2\n", "x.txt")
    here = f"{URL}/{file['sha256']}"
    work()
    assert alice.get(f"{here}/preview").text == "a,b\n1,2\n"
    changed = alice.patch(here, json={"type": "text/csv"}).json
    assert changed["preview_job_id"] != file["preview_job_id"]
    work()
    assert alice.get(f"{here}/preview").json["columns"] == ["a", "b"]


def test_preview_of_a_deleted_file_is_not_made(alice, work):
    file = store(alice, picture(10, 10))
    alice.delete(f"{URL}/{file['sha256']}")
    work()
    assert alice.get(f"/api/v1/jobs/{file['preview_job_id']}").json["result"] == {"made": False}


def test_sweep_removes_what_no_row_names_and_nothing_else(alice, work, blobs):
    kept, deleted = store(alice, picture(20, 10)), store(alice, b"\0deleted")
    work()  # the preview
    wanted = set(blobs()) - {session.get_one(File, deleted["id"]).key}
    assert len(wanted) == 2
    alice.delete(f"{URL}/{deleted['sha256']}")
    killed = storage().writer(new_key())
    killed.write(b"half of an upload")
    killed.file.close()
    for path in blobs().values():
        age(path)
    young = storage().writer(new_key())
    young.write(b"on its way")
    assert run("files.sweep", work).result["removed"] == 2
    assert set(blobs()) == wanted | {young.draft.name}
    young.abandon()
    assert alice.get(f"{URL}/{kept['sha256']}/content").data == picture(20, 10)


def test_check_finds_what_is_damaged_or_missing(alice, work, blobs):
    good, damaged, missing = (store(alice, text) for text in (b"good", b"damaged", b"missing"))
    keys = {file["id"]: session.get_one(File, file["id"]).key for file in (damaged, missing)}
    session.rollback()
    blobs()[keys[damaged["id"]]].write_bytes(b"DAMAGED")
    blobs()[keys[missing["id"]]].unlink()
    job = run("files.check", work)
    assert job.result == {"checked": 3, "damaged": 2, "file_ids": [damaged["id"], missing["id"]]}
    assert (job.progress_total, job.progress_completed) == (3, 3)
    assert alice.get(f"{URL}/{good['sha256']}").json["damaged_at"] is None
    for file in (damaged, missing):
        assert alice.get(f"{URL}/{file['sha256']}").json["damaged_at"]
    assert store(alice, b"damaged")["id"] == damaged["id"]  # uploaded again, it is whole
    assert run("files.check", work).result["file_ids"] == [missing["id"]]


def test_check_goes_on_where_it_was_cut_off(alice, work, monkeypatch):
    files = [store(alice, str(number).encode()) for number in range(3)]
    read: list[str] = []
    real = jobs._sha256_of

    def cut_off_once(key: str):
        read.append(key)
        if len(read) == 2:
            raise ConnectionError
        return real(key)

    monkeypatch.setattr(jobs, "_sha256_of", cut_off_once)
    job = run("files.check", work)
    job_id = job.id
    assert job.status == "retrying"
    session.execute(update(Job).where(Job.id == job_id).values(run_at=now() - timedelta(seconds=1)))
    session.commit()
    work()
    assert session.get_one(Job, job_id, populate_existing=True).status == "succeeded"
    assert len(read) == len(files) + 1


def test_account_sees_no_job_of_the_house(alice, work):
    run("files.sweep", work)
    assert alice.get("/api/v1/jobs?type=files.sweep").json["items"] == []
