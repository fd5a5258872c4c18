"""The SQL of guest lists: so many statements for a request, and for a batch of rows."""

import pytest
from events import new_event
from guest_lists import ask, people, upload

from app.db import session
from app.models import Job
from app.queue import claims, runner
from app.workers import guest_lists as jobs


@pytest.fixture
def event_id(alice) -> int:
    return new_event(alice)["id"]


def end_of(job_id: str) -> Job:
    """After its attempt, here and now."""
    claim = claims.claim(job_id, "worker")
    session.commit()
    assert claim
    runner.run(claim)
    return session.get_one(Job, job_id)


@pytest.mark.parametrize(("verb", "expected"), [("import", 4), ("export", 3)])
def test_number_of_statements_of_a_request_is_known(alice, event_id, queries, verb, expected):
    """Who calls, the event, the file; the job."""
    body = {"file": upload(alice, people(3))} if verb == "import" else {}
    queries.clear()
    ask(alice, event_id, verb, **body)
    assert len(queries) == expected, queries


def test_import_takes_three_statements_for_each_batch(alice, event_id, queries):
    """Whether the event is still there; the guests; the progress."""
    counts = []
    for batches in (1, 3):
        job_id = ask(alice, event_id, "import", file=upload(alice, people(batches * jobs.READ_AT_ONCE)))
        queries.clear()
        assert end_of(job_id).result["refused"] == 0
        inserts = [statement for statement in queries if statement.startswith("INSERT INTO guests")]
        assert len(inserts) == batches
        counts.append(len(queries))
    assert counts[1] - counts[0] == 3 * 2, queries


def test_export_takes_two_statements_for_each_batch(alice, event_id, queries, monkeypatch):
    """The guests, and the progress."""
    end_of(ask(alice, event_id, "import", file=upload(alice, people(30))))
    counts = []
    for size in (30, 30, 10):  # the first one stores the file, which the others find
        monkeypatch.setattr(jobs, "WRITTEN_AT_ONCE", size)
        job_id = ask(alice, event_id, "export")
        queries.clear()
        assert end_of(job_id).result["guests"] == 30
        counts.append(len(queries))
    assert counts[2] - counts[1] == 2 * 2, queries
