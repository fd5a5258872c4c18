"""The same files where `STORAGE_URL` names a bucket: through the API, and by the jobs."""

import io
import os
import urllib.request
from dataclasses import replace

import pytest
from PIL import Image

from app import config
from app.db import session
from app.helpers import storage
from app.models import File, Job
from app.queue import enqueue

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # bytes come from no database
URL = "/api/v1/files"


@pytest.fixture(autouse=True)
def _in_a_bucket(app, settings, aws, tmp_path):
    config.use(replace(settings, storage_url=f"s3://blobs/{tmp_path.name}"))
    storage.use()
    yield
    storage.use()


def test_file_goes_up_and_comes_back_whole_and_in_part(alice):
    data = b"\0" + os.urandom(300_000)
    file = alice.post(f"{URL}?name=a.bin", data=data).json
    here = f"{URL}/{file['sha256']}/content"
    assert alice.get(here).data == data
    answer = alice.get(here, headers={"Range": "bytes=100-199"})
    assert (answer.status_code, answer.data) == (206, data[100:200])
    assert alice.post(f"{URL}?name=b.bin", data=data).status_code == 200
    assert len(list(storage.storage().blobs())) == 1


def test_link_leads_to_the_bucket_itself(alice):
    file = alice.post(f"{URL}?name=g%C3%A4ste.csv", data=b"a,b\n").json
    url = alice.post(f"{URL}/{file['sha256']}/links", json={"expires_in": 60}).json["url"]
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.read() == b"a,b\n"
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="g_ste.csv"')
        assert answer.headers["Content-Type"] == "text/csv"


def test_jobs_find_it_there(alice, work):
    picture = io.BytesIO()
    Image.new("RGB", (800, 400), (200, 30, 30)).save(picture, "PNG")
    file = alice.post(f"{URL}?name=a.png", data=picture.getvalue()).json
    check = enqueue("files.check").id
    session.commit()
    work()
    assert Image.open(io.BytesIO(alice.get(f"{URL}/{file['sha256']}/preview").data)).size == (512, 256)
    assert session.get_one(Job, check).result == {"checked": 1, "damaged": 0, "file_ids": []}
    key = session.get_one(File, file["id"]).key
    session.rollback()
    storage.storage().delete(key)
    assert alice.get(f"{URL}/{file['sha256']}/content").status_code == 410


def test_bucket_that_is_away_is_503(alice, s3_server):
    file = alice.post(f"{URL}?name=a.bin", data=b"\0x").json
    s3_server.stop()
    try:
        assert alice.post(URL, data=b"\0y").status_code == 503
        assert alice.get(f"{URL}/{file['sha256']}/content").status_code == 503
    finally:
        s3_server.start()
    assert alice.get(f"{URL}/{file['sha256']}/content").data == b"\0x"
