"""`/api/v1/jobs`: results, forgetting, expiry, search."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from app.db import session
from app.errors import NotFound
from app.models import Job, JobEvent
from app.models.base import now
from app.queue import enqueue, job


@job()
def refuse() -> None:
    raise NotFound("The row is gone.")


@job()
def point(href: str) -> dict[str, str]:
    return {"href": href}


def count_to(person, number: int = 2) -> str:
    return person.post("/api/v1/baz", json={"to": number}).json["id"]


def ask_for(person, name: str, **args) -> str:
    job_id = enqueue(f"test_jobs.{name}", **args).id
    session.execute(update(Job).where(Job.id == job_id).values(account_id=person.id))
    session.commit()
    return job_id


def age(job_id: str, **passed: float) -> None:
    """As if this much time had passed since the job's expiry."""
    session.execute(update(Job).where(Job.id == job_id).values(expires_at=now() - timedelta(**passed)))
    session.commit()


def housekeeping(work) -> None:
    enqueue("jobs.forget")
    session.commit()
    work()


def slug(answer) -> str:
    return answer.json["type"].rpartition("/")[2]


def test_result_of_a_finished_job_is_the_job_that_holds_it(alice, work):
    job_id = count_to(alice)
    work()
    answer = alice.get(f"/api/v1/jobs/{job_id}/result")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/api/v1/jobs/{job_id}")
    assert alice.get(answer.headers["Location"]).json["result"] == 2


@pytest.mark.parametrize("href", ["/api/v1/files/abc", "https://elsewhere.example.com/x", "//elsewhere.example.com"])
def test_result_that_names_a_resource_of_ours_leads_there(alice, work, href):
    job_id = ask_for(alice, "point", href=href)
    work()
    expected = href if href.startswith("/api/") else f"/api/v1/jobs/{job_id}"
    assert alice.get(f"/api/v1/jobs/{job_id}/result").headers["Location"] == expected


def test_result_of_an_unfinished_job_is_refused(alice):
    answer = alice.get(f"/api/v1/jobs/{count_to(alice)}/result")
    assert (answer.status_code, slug(answer), answer.headers["Retry-After"]) == (409, "job-not-finished", "2")


def test_result_of_a_failed_job_is_its_problem(alice, work):
    job_id = ask_for(alice, "refuse")
    work()
    answer = alice.get(f"/api/v1/jobs/{job_id}/result")
    assert (answer.status_code, slug(answer)) == (404, "not-found")
    assert answer.content_type == "application/problem+json"
    assert answer.json["detail"] == "The row is gone."
    assert answer.json["instance"] == f"/api/v1/jobs/{job_id}/result"
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]


def test_result_of_a_canceled_job_says_so(alice):
    job_id = count_to(alice)
    alice.post(f"/api/v1/jobs/{job_id}/cancel")
    answer = alice.get(f"/api/v1/jobs/{job_id}/result")
    assert (answer.status_code, slug(answer)) == (409, "job-canceled")


def test_finished_job_is_forgotten_for_good(alice, work):
    job_id = count_to(alice)
    work()
    assert alice.delete(f"/api/v1/jobs/{job_id}").status_code == 204
    assert alice.get(f"/api/v1/jobs/{job_id}").status_code == 404
    assert session.scalar(select(func.count()).select_from(JobEvent)) == 0


def test_unfinished_job_is_not_forgotten(alice, bob):
    job_id = count_to(alice)
    answer = alice.delete(f"/api/v1/jobs/{job_id}")
    assert (answer.status_code, slug(answer)) == (409, "job-not-finished")
    assert bob.delete(f"/api/v1/jobs/{job_id}").status_code == 404
    assert alice.get(f"/api/v1/jobs/{job_id}").status_code == 200


def test_failure_is_not_forgotten_before_it_is_reported(alice, work):
    job_id = ask_for(alice, "refuse")
    work()
    session.execute(update(Job).where(Job.id == job_id).values(reported_at=None))
    session.commit()
    answer = alice.delete(f"/api/v1/jobs/{job_id}")
    assert (answer.status_code, slug(answer)) == (409, "conflict")
    session.execute(update(Job).where(Job.id == job_id).values(reported_at=now()))
    session.commit()
    assert alice.delete(f"/api/v1/jobs/{job_id}").status_code == 204


def test_expiry_is_announced_then_gone_then_unknown(alice, bob, work):
    job_id = count_to(alice)
    work()
    assert alice.get(f"/api/v1/jobs/{job_id}").json["expires_at"] > now().isoformat()
    for housekept in (False, True):
        age(job_id, minutes=1)
        if housekept:
            housekeeping(work)
        for verb, path in (("GET", ""), ("GET", "/result"), ("POST", "/cancel"), ("POST", "/retry"), ("DELETE", "")):
            answer = alice.send(verb, f"/api/v1/jobs/{job_id}{path}")
            assert (answer.status_code, slug(answer)) == (410, "job-expired"), (verb, path)
        assert bob.get(f"/api/v1/jobs/{job_id}").status_code == 404
        assert alice.get("/api/v1/jobs").json["items"] == []
    age(job_id, days=30, minutes=1)
    housekeeping(work)
    assert alice.get(f"/api/v1/jobs/{job_id}").status_code == 404


def test_nothing_of_an_expired_job_is_kept_but_that_it_was(alice, work):
    job_id = count_to(alice)
    work()
    age(job_id, minutes=1)
    housekeeping(work)
    found = session.get_one(Job, job_id)
    assert (found.args, found.result, found.error, found.history, found.trace) == ({}, None, None, [], None)
    assert found.account_id == alice.id
    assert session.scalars(select(JobEvent).where(JobEvent.job_id == job_id)).all() == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("COUNT", True),
        ("examples", True),
        ("at 2", True),
        ("at 9", False),
        ("%", False),
        ("_", False),
        ("x" * 200, False),
    ],
)
def test_search_finds_text_and_no_patterns(alice, bob, work, query, found):
    job_id = count_to(alice)
    work()
    listed = alice.get("/api/v1/jobs", query_string={"q": query}).json["items"]
    assert [job["id"] for job in listed] == ([job_id] if found else [])
    assert bob.get("/api/v1/jobs", query_string={"q": query}).json["items"] == []


@pytest.mark.parametrize("query", ["", "x" * 201, "\0"])
def test_bad_search_is_refused(alice, query):
    answer = alice.get("/api/v1/jobs", query_string={"q": query})
    assert answer.status_code == 422
    assert answer.json["errors"][0]["parameter"] == "q"


def test_events_are_numbered_without_gaps_by_the_database(alice, work):
    job_id = count_to(alice, 3)
    work()
    events = session.scalars(select(JobEvent).where(JobEvent.job_id == job_id).order_by(JobEvent.seq)).all()
    assert [event.seq for event in events] == [1, 2, 3, 4, 5, 6]
    assert [event.status for event in events] == ["queued", "running", "running", "running", "running", "succeeded"]
    assert [event.completed for event in events] == [0, 0, 1, 2, 3, 3]


def test_retry_beside_a_pending_job_with_the_same_key_is_a_conflict(alice):
    first = ask_for(alice, "point", href="x", unique="one at a time")
    alice.post(f"/api/v1/jobs/{first}/cancel")
    second = ask_for(alice, "point", href="x", unique="one at a time")
    answer = alice.post(f"/api/v1/jobs/{first}/retry")
    assert (answer.status_code, slug(answer)) == (409, "conflict")
    alice.post(f"/api/v1/jobs/{second}/cancel")
    assert alice.post(f"/api/v1/jobs/{first}/retry").status_code == 202
