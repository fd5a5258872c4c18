"""`/api/v1/events`: what they hold, who sees them, and what goes with one that is deleted."""

import json
import threading

import pytest
from copies import wait_for
from events import JULY, JUNE, new_event, new_guest, send_at_once, somebody_waits
from people import Person
from sqlalchemy import func, select, update

from app.db import session
from app.models import Campaign, Event, Guest, Recipient
from app.models.campaign import STATUSES, UNDER_WAY


def new_campaign(person, event, status="draft", **fields) -> int:
    campaign = Campaign.create(user_id=person.id, event_id=event["id"], name="News", status=status, **fields)
    session.commit()
    return campaign.id


def names(answer) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [event["name"] for event in answer.json["items"]]


def count(model) -> int:
    session.rollback()
    return session.scalar(select(func.count()).select_from(model))


def test_event_is_created_and_shown(alice):
    body = {"name": "Sommerfest 🎉 夏日聚会", "starts_at": "2099-06-19T20:00:00+02:00", "place": "Rathaus"}
    answer = alice.post("/api/v1/events", json=body)
    assert answer.status_code == 201
    event = answer.json
    assert answer.headers["Location"] == f"/api/v1/events/{event['id']}"
    assert (event["name"], event["starts_at"], event["place"]) == ("Sommerfest 🎉 夏日聚会", JUNE, "Rathaus")
    shown = alice.get(answer.headers["Location"])
    assert shown.json == event
    assert shown.headers["ETag"] == answer.headers["ETag"]


@pytest.mark.parametrize("rest", [{}, {"starts_at": None, "place": None}])
def test_name_is_enough(alice, rest):
    event = new_event(alice, **rest)
    assert (event["starts_at"], event["place"]) == (None, None)


def test_put_replaces_and_ignores_the_id_in_the_body(alice):
    event = new_event(alice, starts_at=JUNE, place="Town hall")
    answer = alice.put(f"/api/v1/events/{event['id']}", json={"id": 999, "name": "Autumn party"})
    assert answer.status_code == 200
    assert (answer.json["id"], answer.json["name"]) == (event["id"], "Autumn party")
    assert (answer.json["starts_at"], answer.json["place"]) == (None, None)


def test_patch_changes_only_what_is_named(alice):
    event = new_event(alice, starts_at=JUNE, place="Town hall")
    changed = alice.patch(f"/api/v1/events/{event['id']}", json={"starts_at": JULY}).json
    assert changed | {"updated_at": ""} == event | {"starts_at": JULY, "updated_at": ""}
    assert alice.patch(f"/api/v1/events/{event['id']}", json={"place": None}).json["place"] is None
    assert alice.get(f"/api/v1/events/{event['id']}").json["starts_at"] == JULY


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_change_of_what_somebody_else_changed_is_412(alice, method):
    event = new_event(alice)
    path = f"/api/v1/events/{event['id']}"
    stale = alice.get(path).headers["ETag"]
    fresh = alice.patch(path, json={"place": "Garden"}).headers["ETag"]
    assert alice.send(method, path, json={"name": "x"}, headers={"If-Match": stale}).status_code == 412
    assert alice.get(path).json["place"] == "Garden"
    assert alice.send(method, path, json={"name": "x"}, headers={"If-Match": fresh}).status_code < 300


def test_unchanged_event_is_304(alice):
    path = f"/api/v1/events/{new_event(alice)['id']}"
    assert alice.get(path, headers={"If-None-Match": alice.get(path).headers["ETag"]}).status_code == 304


def test_repeated_request_makes_one_event(alice):
    first, second = (
        alice.post("/api/v1/events", json={"name": "Once"}, headers={"Idempotency-Key": "k"}) for _ in range(2)
    )
    assert first.data == second.data
    assert names(alice.get("/api/v1/events")) == ["Once"]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_stranger_finds_nothing(alice, bob, method):
    event = new_event(alice)
    answer = bob.send(method, f"/api/v1/events/{event['id']}", json={"name": "Mine now"})
    assert answer.status_code == 404
    assert answer.json["type"].endswith("/problems/not-found")
    assert alice.get(f"/api/v1/events/{event['id']}").json == event
    assert names(bob.get("/api/v1/events")) == []


@pytest.mark.parametrize("event_id", ["0", "999999", "9223372036854775808", "x", "-1"])
def test_unknown_id_is_404(alice, event_id):
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        assert alice.send(method, f"/api/v1/events/{event_id}", json={"name": "x"}).status_code == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/name"),
        ({"name": None}, "#/name"),
        ({"name": 5}, "#/name"),
        ({"name": ""}, "#/name"),
        ({"name": "  "}, "#/name"),
        ({"name": "x" * 201}, "#/name"),
        ({"name": "a\nb"}, "#/name"),
        ({"name": "a\n"}, "#/name"),
        ({"name": "a\0b"}, "#/name"),
        ({"name": "\ud800"}, "#/name"),
        ({"name": "x", "starts_at": "tomorrow"}, "#/starts_at"),
        ({"name": "x", "starts_at": "2099-06-19T18:00:00"}, "#/starts_at"),
        ({"name": "x", "starts_at": "2099-02-30T18:00:00Z"}, "#/starts_at"),
        ({"name": "x", "starts_at": 5}, "#/starts_at"),
        ({"name": "x", "place": 5}, "#/place"),
        ({"name": "x", "place": "x" * 501}, "#/place"),
        ({"name": "x", "place": "a\r\nBcc: b"}, "#/place"),
        ({"name": "x", "colour": "red"}, "#/colour"),
        ({"name": "x", "user_id": 1}, "#/user_id"),
        ({"name": "x", "start_order": JUNE}, "#/start_order"),
        ([], "#"),
    ],
)
def test_bad_body_is_refused_and_nothing_is_written(alice, body, pointer):
    event = new_event(alice, starts_at=JUNE)
    requests = [("POST", "/api/v1/events"), ("PUT", f"/api/v1/events/{event['id']}")]
    for method, path in requests + ([("PATCH", requests[1][1])] if body else []):
        answer = alice.send(method, path, data=json.dumps(body), content_type="application/json")
        assert answer.status_code == 422, answer.text
        assert pointer in [error["pointer"] for error in answer.json["errors"]]
    assert alice.get("/api/v1/events").json == {"items": [event]}


# Lists


def test_list_filters(alice, bob):
    new_event(bob, name="Bob's party")
    for name, starts_at in (("June 100%", JUNE), ("July 1000", JULY), ("Some day", None)):
        new_event(alice, name=name, starts_at=starts_at)
    assert names(alice.get("/api/v1/events")) == ["Some day", "July 1000", "June 100%"]
    assert names(alice.get("/api/v1/events?starts_before=2099-07-01T00:00:00Z")) == ["June 100%"]
    assert names(alice.get(f"/api/v1/events?starts_after={JUNE}")) == ["July 1000"]
    assert names(alice.get("/api/v1/events?q=some")) == ["Some day"]
    assert names(alice.get("/api/v1/events?q=100%25")) == ["June 100%"]


def test_list_by_start_has_those_without_one_last_and_pages_through_everything_once(alice):
    made = {name: new_event(alice, name=name, starts_at=at) for name, at in (("c", None), ("b", JULY), ("a", JUNE))}
    alice.patch(f"/api/v1/events/{made['c']['id']}", json={"place": "Garden"})
    seen, token = [], ""
    while token is not None:
        page = alice.get(f"/api/v1/events?sort=starts_at&page_size=1{token}")
        seen += names(page)
        token = f"&page_token={page.json['next_page_token']}" if "next_page_token" in page.json else None
    assert seen == ["a", "b", "c"]
    assert names(alice.get("/api/v1/events?sort=-updated_at"))[0] == "c"
    assert names(alice.get("/api/v1/events?sort=created_at")) == ["c", "b", "a"]


@pytest.mark.parametrize(
    "query", ["starts_before=x", "starts_after=2099-06-19", "q=", "q=" + "x" * 201, "sort=name", "user_id=1", "name=x"]
)
def test_bad_query_is_refused(alice, query):
    answer = alice.get(f"/api/v1/events?{query}")
    assert answer.status_code == 422
    assert answer.json["errors"][0]["parameter"] == query.partition("=")[0]


# Deleting one


def test_deleted_event_takes_its_guests_along(alice):
    event, other = new_event(alice), new_event(alice)
    guest, stays = new_guest(alice, event), new_guest(alice, other)
    assert alice.delete(f"/api/v1/events/{event['id']}").status_code == 204
    for path in (f"events/{event['id']}", f"events/{event['id']}/guests", f"guests/{guest['id']}"):
        assert alice.get(f"/api/v1/{path}").status_code == 404
    assert alice.get(f"/api/v1/guests/{stays['id']}").json == stays


def test_what_else_belongs_to_a_deleted_event_stays_without_it(alice):
    event = new_event(alice)
    task = alice.post("/api/v1/tasks", json={"text": "x", "event_id": event["id"]}).json
    guest = new_guest(alice, event)
    campaigns = [new_campaign(alice, event, status) for status in STATUSES if status not in UNDER_WAY]
    facts = {"campaign_id": campaigns[0], "guest_id": guest["id"], "email": "x", "email_key": "x", "state": "sent"}
    recipient_id = Recipient.create(**facts).id
    session.commit()
    assert alice.delete(f"/api/v1/events/{event['id']}").status_code == 204
    assert alice.get(f"/api/v1/tasks/{task['id']}").json == task | {"event_id": None}
    assert session.scalars(select(Campaign.event_id).where(Campaign.id.in_(campaigns))).all() == [None] * 3
    recipient = session.get_one(Recipient, recipient_id)
    assert (recipient.guest_id, recipient.state) == (None, "sent")


@pytest.mark.parametrize("status", UNDER_WAY)
def test_event_is_not_deleted_while_a_campaign_is_under_way(alice, status):
    event = new_event(alice)
    guest = new_guest(alice, event)
    new_campaign(alice, event, "done")
    campaign = new_campaign(alice, event, status)
    answer = alice.delete(f"/api/v1/events/{event['id']}")
    assert answer.status_code == 409
    assert answer.json["type"].endswith("/problems/conflict")
    assert alice.get(f"/api/v1/guests/{guest['id']}").json == guest
    session.execute(update(Campaign).where(Campaign.id == campaign).values(status="cancelled"))
    session.commit()
    assert alice.delete(f"/api/v1/events/{event['id']}").status_code == 204


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # the other one has a single lock
def test_event_whose_campaign_begins_at_that_moment_is_not_deleted(app, alice):
    event, engine = new_event(alice), app.extensions["accepted.engine"]
    campaign = new_campaign(alice, event)
    path, statuses = f"/api/v1/events/{event['id']}", []
    deleting = threading.Thread(target=lambda: statuses.extend(send_at_once(app, alice, ("DELETE", path, None))))
    with engine.begin() as launch:
        launch.execute(update(Campaign).where(Campaign.id == campaign).values(status="sending"))
        deleting.start()
        wait_for(lambda: somebody_waits(engine), lambda: f"it does not wait: {statuses}")
    deleting.join()
    assert statuses == [409]
    assert alice.get(path).json == event


def test_account_takes_its_events_along(alice, bob):
    event, others = new_event(alice), new_event(bob)
    for person, its in ((alice, event), (bob, others)):
        guest = new_guest(person, its)
        campaign = new_campaign(person, its, "sending")
        Recipient.create(campaign_id=campaign, guest_id=guest["id"], email="x", email_key="x")
        session.commit()
    assert alice.delete("/api/v1/user", json={"current_password": "correct horse battery"}).status_code == 204
    assert [count(model) for model in (Event, Guest, Campaign, Recipient)] == [1, 1, 1, 1]
    assert bob.get(f"/api/v1/events/{others['id']}").json == others


def test_reader_may_not_write(alice):
    token = alice.post("/api/v1/user/tokens", json={"name": "x", "scopes": ["events:read"]}).json["token"]
    reader = Person(alice.client, alice.email, alice.id, token)
    event = new_event(alice)
    assert reader.get(f"/api/v1/events/{event['id']}/guests").status_code == 200
    assert reader.post("/api/v1/events", json={"name": "x"}).json["required_scope"] == "events:write"
