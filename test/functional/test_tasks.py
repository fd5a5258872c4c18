"""`/api/v1/tasks`, and the reminders that follow a task's due date."""

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
from copies import wait_for
from events import new_event, send_at_once, somebody_waits
from sqlalchemy import delete

from app.models import Event

SOON = "2099-01-01T09:00:00Z"
PAST = "2020-01-01T09:00:00Z"


def new_task(person, **fields):
    answer = person.post("/api/v1/tasks", json={"text": "Buy candles", **fields})
    assert answer.status_code == 201, answer.text
    return answer.json


def reminder(person, task):
    return person.get(f"/api/v1/jobs/{task['reminder_job_id']}").json


def test_task_is_created_and_shown(alice):
    answer = alice.post("/api/v1/tasks", json={"text": "Kerzen kaufen 🕯️ 蜡烛", "due_at": "2099-01-01T10:00:00+01:00"})
    assert answer.status_code == 201
    task = answer.json
    assert answer.headers["Location"] == f"/api/v1/tasks/{task['id']}"
    assert task["text"] == "Kerzen kaufen 🕯️ 蜡烛"
    assert task["done"] is False
    assert task["due_at"] == SOON
    assert task["event_id"] is None
    assert alice.get(answer.headers["Location"]).json == task


def test_put_replaces_and_ignores_the_id_in_the_body(alice):
    task = new_task(alice, due_at=SOON, done=True)
    answer = alice.put(f"/api/v1/tasks/{task['id']}", json={"id": 999, "text": "Buy wine"})
    assert answer.status_code == 200
    assert (answer.json["id"], answer.json["text"]) == (task["id"], "Buy wine")
    assert (answer.json["done"], answer.json["due_at"]) == (False, None)


def test_patch_changes_only_what_is_named(alice):
    task = new_task(alice, due_at=SOON)
    answer = alice.patch(f"/api/v1/tasks/{task['id']}", json={"done": True})
    assert answer.status_code == 200
    assert (answer.json["text"], answer.json["done"], answer.json["due_at"]) == ("Buy candles", True, SOON)


def test_deleted_task_is_gone(alice):
    task = new_task(alice)
    assert alice.delete(f"/api/v1/tasks/{task['id']}").status_code == 204
    assert alice.get(f"/api/v1/tasks/{task['id']}").status_code == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_stranger_finds_nothing(alice, bob, method):
    task = new_task(alice)
    answer = bob.send(method, f"/api/v1/tasks/{task['id']}", json={"text": "Mine now"})
    assert answer.status_code == 404
    assert answer.json["type"].endswith("/problems/not-found")
    assert alice.get(f"/api/v1/tasks/{task['id']}").json == task


@pytest.mark.parametrize("task_id", ["0", "999999", "9223372036854775807", "9223372036854775808", "1" * 400, "x", "-1"])
def test_unknown_id_is_404(alice, task_id):
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = alice.send(method, f"/api/v1/tasks/{task_id}", json={"text": "x"})
        assert answer.status_code == 404
        assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/text"),
        ({"text": None}, "#/text"),
        ({"text": 5}, "#/text"),
        ({"text": ""}, "#/text"),
        ({"text": "  \n"}, "#/text"),
        ({"text": "x" * 10_001}, "#/text"),
        ({"text": "a\0b"}, "#/text"),
        ({"text": "\ud800"}, "#/text"),
        ({"text": "x", "done": "yes"}, "#/done"),
        ({"text": "x", "done": 1}, "#/done"),
        ({"text": "x", "done": None}, "#/done"),
        ({"text": "x", "due_at": "tomorrow"}, "#/due_at"),
        ({"text": "x", "due_at": "2099-01-01"}, "#/due_at"),
        ({"text": "x", "due_at": "2099-01-01T10:00:00"}, "#/due_at"),
        ({"text": "x", "due_at": "2099-02-30T10:00:00Z"}, "#/due_at"),
        ({"text": "x", "due_at": "0001-01-01T00:00:00+23:00"}, "#/due_at"),
        ({"text": "x", "due_at": 5}, "#/due_at"),
        ({"text": "x", "event_id": 12345}, "#/event_id"),
        ({"text": "x", "event_id": 2**64}, "#/event_id"),
        ({"text": "x", "event_id": 1.5}, "#/event_id"),
        ({"text": "x", "event_id": 1e300}, "#/event_id"),
        ({"text": "x", "colour": "red"}, "#/colour"),
        ({"text": "x", "user_id": 1}, "#/user_id"),
        ({"text": "x", "\ud800": 1}, "#/%ED%A0%80"),
        ({"text": "x", "a/b~c d": 1}, "#/a~1b~0c%20d"),
        ([], "#"),
        ("text", "#"),
    ],
)
def test_bad_body_is_refused_and_nothing_is_written(alice, body, pointer):
    answer = alice.post("/api/v1/tasks", data=json.dumps(body), content_type="application/json")
    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    assert pointer in [error["pointer"] for error in answer.json["errors"]]
    assert alice.get("/api/v1/tasks").json == {"items": []}
    assert alice.get("/api/v1/jobs").json == {"items": []}


def test_every_error_is_told_at_once(alice):
    answer = alice.post("/api/v1/tasks", json={"done": 3, "due_at": "x", "colour": 1})
    pointers = [error["pointer"] for error in answer.json["errors"]]
    assert pointers == ["#/colour", "#/done", "#/due_at", "#/text"]


def test_task_belongs_to_an_event(alice):
    event, other = new_event(alice), new_event(alice)
    task, free = new_task(alice, event_id=event["id"]), new_task(alice)
    assert task["event_id"] == event["id"]
    assert alice.get(f"/api/v1/tasks?event_id={event['id']}").json["items"] == [task]
    path = f"/api/v1/tasks/{task['id']}"
    assert alice.patch(path, json={"text": "Buy matches"}).json["event_id"] == event["id"]
    assert alice.patch(path, json={"event_id": other["id"]}).json["event_id"] == other["id"]
    assert alice.put(path, json={"text": "Buy matches"}).json["event_id"] is None
    assert alice.put(f"/api/v1/tasks/{free['id']}", json={"text": "x", "event_id": other["id"]}).status_code == 200


def test_somebody_elses_event_is_as_unknown_as_none(alice, bob):
    task, theirs = new_task(alice), new_event(bob)["id"]
    path = f"/api/v1/tasks/{task['id']}"
    for method, where in (("POST", "/api/v1/tasks"), ("PUT", path), ("PATCH", path)):
        refusals = [alice.send(method, where, json={"text": "x", "event_id": number}) for number in (theirs, 999_999)]
        assert [refusal.status_code for refusal in refusals] == [422, 422]
        for refusal in refusals:
            expected = [{"detail": "there is no event with this id", "pointer": "#/event_id"}]
            assert refusal.json["errors"] == expected
    assert alice.get("/api/v1/tasks").json == {"items": [task]}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # the other one has a single lock
def test_task_of_an_event_that_is_deleted_at_that_moment_is_422(app, alice):
    event, engine, statuses = new_event(alice), app.extensions["accepted.engine"], []
    request = ("POST", "/api/v1/tasks", {"text": "x", "event_id": event["id"]})
    adding = threading.Thread(target=lambda: statuses.extend(send_at_once(app, alice, request)))
    with engine.begin() as deletion:
        deletion.execute(delete(Event).where(Event.id == event["id"]))
        adding.start()
        wait_for(lambda: somebody_waits(engine), lambda: f"it does not wait: {statuses}")
    adding.join()
    assert statuses == [422]


def test_reminder_is_written_with_the_task(alice):
    task = new_task(alice, due_at=SOON)
    job = reminder(alice, task)
    assert (job["type"], job["status"], job["done"]) == ("tasks.remind", "scheduled", False)
    assert job["scheduled_at"] == job["next_attempt_at"] == SOON
    assert job["target"] == {"type": "task", "id": task["id"], "href": f"/api/v1/tasks/{task['id']}"}
    assert alice.get(f"/api/v1/jobs?target=task:{task['id']}").json["items"] == [job]


def test_due_task_is_reminded_of_by_mail_once(alice, work, mails):
    task = new_task(alice, due_at=PAST)
    work()
    job = reminder(alice, task)
    assert (job["status"], job["result"]) == ("succeeded", {"sent": True})
    (mail,) = mails()
    assert "To: alice@example.com" in mail
    assert "Subject: Reminder: Buy candles" in mail
    alice.patch(f"/api/v1/tasks/{task['id']}", json={"text": "Buy candles!", "due_at": PAST})
    work()
    assert len(mails()) == 1


def test_reminder_tells_the_text_as_it_is_then(alice, work, mails):
    due_at = (datetime.now(UTC) + timedelta(milliseconds=300)).isoformat()
    task = new_task(alice, due_at=due_at)
    alice.patch(f"/api/v1/tasks/{task['id']}", json={"text": "Buy matches"})
    assert alice.get(f"/api/v1/tasks/{task['id']}").json["reminder_job_id"] == task["reminder_job_id"]
    alice.patch(f"/api/v1/tasks/{task['id']}", json={"due_at": PAST})
    work()
    (mail,) = mails()
    assert "Buy matches" in mail


def test_moved_due_date_moves_the_reminder(alice):
    task = new_task(alice, due_at=SOON)
    moved = alice.patch(f"/api/v1/tasks/{task['id']}", json={"due_at": "2099-02-02T00:00:00Z"}).json
    assert reminder(alice, task)["status"] == "canceled"
    assert reminder(alice, moved)["scheduled_at"] == "2099-02-02T00:00:00Z"


def test_done_or_deleted_task_is_not_reminded_of(alice, work, mails):
    done, deleted, undated = (new_task(alice, due_at=SOON) for _ in range(3))
    alice.patch(f"/api/v1/tasks/{done['id']}", json={"done": True})
    alice.delete(f"/api/v1/tasks/{deleted['id']}")
    alice.patch(f"/api/v1/tasks/{undated['id']}", json={"due_at": None})
    for task in (done, deleted, undated):
        assert reminder(alice, task)["status"] == "canceled"
    again = alice.patch(f"/api/v1/tasks/{done['id']}", json={"done": False}).json
    assert reminder(alice, again)["status"] == "scheduled"
    work()
    assert mails() == []


def test_list_pages_through_everything_once(alice, bob):
    new_task(bob)
    made = [new_task(alice, text=f"Task {number}")["id"] for number in range(7)]
    seen, url = [], "/api/v1/tasks?page_size=3&sort=created_at"
    while url:
        page = alice.get(url).json
        seen += [task["id"] for task in page["items"]]
        new_task(alice, text="added while paging") if len(seen) == 3 else None
        token = page.get("next_page_token")
        url = f"/api/v1/tasks?page_size=3&sort=created_at&page_token={token}" if token else None
    assert seen[:7] == made
    assert len(seen) == len(set(seen)) == 8


def test_list_by_due_date_has_those_without_one_last(alice):
    late, never, soon = new_task(alice, due_at=SOON), new_task(alice), new_task(alice, due_at=PAST)
    first = alice.get("/api/v1/tasks?sort=due_at&page_size=2").json
    second = alice.get(f"/api/v1/tasks?sort=due_at&page_size=2&page_token={first['next_page_token']}").json
    assert [task["id"] for task in first["items"] + second["items"]] == [soon["id"], late["id"], never["id"]]


def test_list_filters(alice):
    new_task(alice)
    done = new_task(alice, done=True)
    assert [task["id"] for task in alice.get("/api/v1/tasks?done=true").json["items"]] == [done["id"]]
    due = new_task(alice, due_at=SOON)
    found = alice.get("/api/v1/tasks?due_before=2099-02-01T00:00:00Z").json["items"]
    assert [task["id"] for task in found] == [due["id"]]


@pytest.mark.parametrize(
    "query",
    [
        "page_size=-1",
        "page_size=0",
        "page_size=x",
        "page_size=1.5",
        "sort=password_hash",
        "sort=text",
        "page_token=x",
        "page_token=%00",
        "done=maybe",
        "due_before=x",
        "event_id=x",
        "colour=red",
        "user_id=1",
        "password__startswith=a",
        "page_token=WzEsMiwzXQ",
    ],
)
def test_bad_query_is_refused(alice, query):
    answer = alice.get(f"/api/v1/tasks?{query}")
    assert answer.status_code == 422
    assert answer.json["errors"][0]["parameter"] == query.partition("=")[0]


def test_list_costs_two_queries_whatever_its_length(alice, queries):
    for _ in range(5):
        new_task(alice)
    queries.clear()
    alice.get("/api/v1/tasks")
    assert len(queries) == 2, queries
