"""The same lists where `STORAGE_URL` names a bucket."""

from dataclasses import replace

import pytest
from events import new_event
from guest_lists import ask, bring_in, guests_of, job, people, rows_of, take_out, upload

from app import config
from app.helpers import storage

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # bytes come from no database


@pytest.fixture(autouse=True)
def _in_a_bucket(app, settings, aws, tmp_path):
    config.use(replace(settings, storage_url=f"s3://blobs/{tmp_path.name}"))
    storage.use()
    yield
    storage.use()


def test_guests_come_from_there_and_go_there(alice, work):
    event_id = new_event(alice)["id"]
    data = people(8_000) + "broken\n"  # more than a piece of the storage
    end = bring_in(alice, work, event_id, data)
    assert end["result"]["added"] == 8_000
    assert [row[:2] for row in rows_of(alice, end["result"]["report"])[1:]] == [
        ["8002", "email must be an e-mail address"]
    ]
    href = take_out(alice, work, event_id)["result"]["href"]
    assert [tuple(row[:3]) for row in rows_of(alice, href)[1:]] == guests_of(event_id)
    assert len(list(storage.storage().blobs())) == 3 + 3  # the list, the report, the export; and their previews


def test_bucket_that_is_away_is_tried_again(alice, work, s3_server):
    event_id = new_event(alice)["id"]
    job_id = ask(alice, event_id, "import", file=upload(alice, people(1)))
    s3_server.stop()
    try:
        work()
    finally:
        s3_server.start()
    assert job(alice, job_id)["status"] == "retrying"
