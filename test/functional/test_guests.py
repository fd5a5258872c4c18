"""`/api/v1/events/{id}/guests` and `/api/v1/guests/{id}`: one guest for each address, and what changes with it."""

import json
import threading

import pytest
from copies import wait_for
from events import new_event, new_guest, send_at_once, somebody_waits
from sqlalchemy import delete, update

from app.db import session
from app.models import Event, Guest
from app.models.base import now
from app.models.guest import STATUSES


@pytest.fixture
def event(alice) -> dict:
    return new_event(alice)


@pytest.fixture
def guests(event) -> str:
    """The path of the event's guests."""
    return f"/api/v1/events/{event['id']}/guests"


def path_of(guest) -> str:
    return f"/api/v1/guests/{guest['id']}"


def emails(answer) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [guest["email"] for guest in answer.json["items"]]


def link_key(guest) -> str:
    session.rollback()
    return session.get_one(Guest, guest["id"]).link_key


def invite(guest, status="invited") -> str:
    """What the mail with the link leaves behind; the key of the link."""
    session.execute(update(Guest).where(Guest.id == guest["id"]).values(status=status, invited_at=now()))
    session.commit()
    return link_key(guest)


def test_guest_is_added_and_shown(alice, event, guests):
    answer = alice.post(guests, json={"email": "Grace@Example.com", "name": "Grâce 美 O'Neil", "role": "speaker"})
    assert answer.status_code == 201
    guest = answer.json
    assert answer.headers["Location"] == path_of(guest)
    assert (guest["event_id"], guest["email"], guest["name"]) == (event["id"], "Grace@Example.com", "Grâce 美 O'Neil")
    assert (guest["role"], guest["status"]) == ("speaker", "added")
    assert (guest["invited_at"], guest["answered_at"]) == (None, None)
    assert "link_key" not in guest
    shown = alice.get(path_of(guest))
    assert (shown.json, shown.headers["ETag"]) == (guest, answer.headers["ETag"])
    assert alice.get(guests).json == {"items": [guest]}


def test_address_is_enough(alice, event):
    guest = new_guest(alice, event)
    assert (guest["name"], guest["role"]) == ("", "guest")


def test_each_guest_has_a_link_of_its_own(alice, event):
    keys = {link_key(new_guest(alice, event, f"{number}@example.com")) for number in range(3)}
    assert len(keys) == 3
    assert min(map(len, keys)) >= 24


def test_put_replaces_all_but_the_status(alice, event):
    guest = new_guest(alice, event, name="Grace", role="speaker")
    alice.patch(path_of(guest), json={"status": "accepted"})
    answer = alice.put(path_of(guest), json={"id": 999, "email": "grace@example.com"})
    assert answer.status_code == 200
    assert (answer.json["id"], answer.json["name"], answer.json["role"]) == (guest["id"], "", "guest")
    assert answer.json["status"] == "accepted"


def test_patch_changes_only_what_is_named(alice, event):
    guest = new_guest(alice, event, name="Grace", role="speaker")
    changed = alice.patch(path_of(guest), json={"name": "Grace Hopper"}).json
    assert changed | {"updated_at": ""} == guest | {"name": "Grace Hopper", "updated_at": ""}


def test_deleted_guest_is_gone_and_may_be_added_again(alice, event):
    guest = new_guest(alice, event)
    assert alice.delete(path_of(guest)).status_code == 204
    assert alice.get(path_of(guest)).status_code == 404
    new_guest(alice, event)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_change_of_what_somebody_else_changed_is_412(alice, event, method):
    guest = new_guest(alice, event)
    stale = alice.get(path_of(guest)).headers["ETag"]
    alice.patch(path_of(guest), json={"name": "Grace"})
    body = {"email": "grace@example.com"}
    assert alice.send(method, path_of(guest), json=body, headers={"If-Match": stale}).status_code == 412
    assert alice.get(path_of(guest)).json["name"] == "Grace"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/email"),
        ({"email": None}, "#/email"),
        ({"email": "grace"}, "#/email"),
        ({"email": "a@b@example.com"}, "#/email"),
        ({"email": "Grace <grace@example.com>"}, "#/email"),
        ({"email": "a\r\nb@example.com"}, "#/email"),
        ({"email": "a@example.com\n"}, "#/email"),
        ({"email": "a" * 250 + "@example.com"}, "#/email"),
        ({"email": "\u0390" * 64 + "@" + "a" * 60 + ".com"}, "#/email"),  # without case it is three times as long
        ({"email": "x@example.com", "name": None}, "#/name"),
        ({"email": "x@example.com", "name": "x" * 201}, "#/name"),
        ({"email": "x@example.com", "name": "a\r\nBcc: b@example.com"}, "#/name"),
        ({"email": "x@example.com", "name": "a\n"}, "#/name"),
        ({"email": "x@example.com", "name": "a\u2028b"}, "#/name"),
        ({"email": "x@example.com", "name": "\x1b[31m"}, "#/name"),
        ({"email": "x@example.com", "role": ""}, "#/role"),
        ({"email": "x@example.com", "role": " "}, "#/role"),
        ({"email": "x@example.com", "role": "x" * 51}, "#/role"),
        ({"email": "x@example.com", "role": "a\tb"}, "#/role"),
        ({"email": "x@example.com", "status": "invited"}, "#/status"),
        ({"email": "x@example.com", "event_id": 1}, "#/event_id"),
        ({"email": "x@example.com", "link_key": "x"}, "#/link_key"),
        ({"email": "x@example.com", "answered_at": None}, "#/answered_at"),
    ],
)
def test_bad_body_is_refused_and_nothing_is_written(alice, event, guests, body, pointer):
    guest = new_guest(alice, event)
    requests = [("POST", guests), ("PUT", path_of(guest))] + ([("PATCH", path_of(guest))] if body else [])
    for method, path in requests:
        answer = alice.send(method, path, data=json.dumps(body), content_type="application/json")
        assert answer.status_code == 422, answer.text
        assert pointer in [error["pointer"] for error in answer.json["errors"]]
    assert alice.get(guests).json == {"items": [guest]}


def test_nobody_is_added_with_an_answer(alice, guests):
    answer = alice.post(guests, json={"email": "x@example.com", "status": "accepted"})
    assert answer.json["errors"] == [{"detail": "is not a known field", "pointer": "#/status"}]


def test_stranger_finds_nothing(alice, bob, event, guests):
    guest = new_guest(alice, event)
    body = {"email": "bob@example.com"}
    for method, path in [(m, path_of(guest)) for m in ("GET", "PUT", "PATCH", "DELETE")] + [
        ("GET", guests),
        ("POST", guests),
    ]:
        assert bob.send(method, path, json=body).status_code == 404, f"{method} {path}"
    assert alice.get(guests).json == {"items": [guest]}


@pytest.mark.parametrize("number", ["0", "999999", "9223372036854775808", "x", "-1"])
def test_unknown_id_is_404(alice, number):
    body = {"email": "x@example.com"}
    for method in ("GET", "POST"):
        assert alice.send(method, f"/api/v1/events/{number}/guests", json=body).status_code == 404
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        assert alice.send(method, f"/api/v1/guests/{number}", json=body).status_code == 404


# Lists


def test_list_filters(alice, event, guests):
    new_guest(alice, new_event(alice), "elsewhere@example.com")
    new_guest(alice, event, "ana@example.com", name="Ana", role="speaker")
    new_guest(alice, event, "bo@elsewhere.test", name="Bo Ananas")
    alice.patch(path_of(new_guest(alice, event, "cy_@example.com")), json={"status": "accepted"})
    everybody = ["cy_@example.com", "bo@elsewhere.test", "ana@example.com"]
    assert emails(alice.get(guests)) == everybody
    assert emails(alice.get(f"{guests}?sort=created_at")) == emails(alice.get(f"{guests}?sort=id")) == everybody[::-1]
    assert emails(alice.get(f"{guests}?status=accepted")) == everybody[:1]
    assert emails(alice.get(f"{guests}?role=speaker")) == everybody[2:]
    assert emails(alice.get(f"{guests}?q=ANA")) == everybody[1:]
    assert emails(alice.get(f"{guests}?q=elsewhere")) == everybody[1:2]
    assert emails(alice.get(f"{guests}?q=_")) == everybody[:1]


def test_list_pages_through_everything_once(alice, event, guests):
    made = [new_guest(alice, event, f"{number}@example.com")["email"] for number in range(5)]
    first = alice.get(f"{guests}?page_size=3&sort=created_at")
    rest = alice.get(f"{guests}?page_size=3&sort=created_at&page_token={first.json['next_page_token']}")
    assert emails(first) + emails(rest) == made
    assert "next_page_token" not in rest.json


@pytest.mark.parametrize(
    "query", ["status=maybe", "sort=email", "event_id=1", "email=x", "link_key=x", "q=", "role=%00"]
)
def test_bad_query_is_refused(alice, guests, query):
    answer = alice.get(f"{guests}?{query}")
    assert answer.status_code == 422
    assert answer.json["errors"][0]["parameter"] == query.partition("=")[0]


# One guest for each address


@pytest.mark.parametrize("email", ["grace@example.com", "GRACE@example.COM"])
def test_second_guest_with_that_address_is_409(alice, event, guests, email):
    guest = new_guest(alice, event)
    answer = alice.post(guests, json={"email": email, "name": "Somebody else"})
    assert answer.status_code == 409
    assert answer.json["type"].endswith("/problems/guest-exists")
    assert answer.json["title"] == "Guest exists"
    assert alice.get(guests).json == {"items": [guest]}


def test_other_events_may_have_the_same_guest(alice, bob, event):
    for person, other in ((alice, event), (alice, new_event(alice)), (bob, new_event(bob))):
        new_guest(person, other)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_address_of_another_guest_is_409_and_changes_nothing(alice, event, method):
    new_guest(alice, event)
    guest = new_guest(alice, event, "ana@example.com")
    key = link_key(guest)
    answer = alice.send(method, path_of(guest), json={"email": "Grace@example.com", "name": "x", "status": "accepted"})
    assert answer.status_code == 409
    assert answer.json["type"].endswith("/problems/guest-exists")
    assert alice.get(path_of(guest)).json == guest
    assert link_key(guest) == key


def test_who_adds_the_same_address_at_once_adds_one_guest(app, alice, guests):
    requests = [("POST", guests, {"email": email}) for email in ("a@example.com", "A@example.com") * 3]
    assert send_at_once(app, alice, *requests) == [201] + [409] * 5
    assert len(alice.get(guests).json["items"]) == 1


def test_who_moves_to_the_same_address_at_once_moves_one_guest(app, alice, event, guests):
    made = [new_guest(alice, event, f"{number}@example.com") for number in range(4)]
    requests = [("PATCH", path_of(guest), {"email": "same@example.com"}) for guest in made]
    requests.append(("POST", guests, {"email": "Same@example.com"}))
    statuses = send_at_once(app, alice, *requests)
    assert statuses[0] in (200, 201)
    assert statuses[1:] == [409] * 4
    assert [email.lower() for email in emails(alice.get(guests))].count("same@example.com") == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # the other one has a single lock
def test_guest_of_an_event_that_is_deleted_at_that_moment_is_404(app, alice, event, guests):
    engine, statuses = app.extensions["accepted.engine"], []
    request = ("POST", guests, {"email": "x@example.com"})
    adding = threading.Thread(target=lambda: statuses.extend(send_at_once(app, alice, request)))
    with engine.begin() as deletion:
        deletion.execute(delete(Event).where(Event.id == event["id"]))
        adding.start()
        wait_for(lambda: somebody_waits(engine), lambda: f"it does not wait: {statuses}")
    adding.join()
    assert statuses == [404]


# Another address


def test_another_address_ends_the_link_and_is_not_invited_yet(alice, event):
    guest = new_guest(alice, event)
    key = invite(guest)
    moved = alice.patch(path_of(guest), json={"email": "grace@example.org"}).json
    assert (moved["email"], moved["status"], moved["invited_at"]) == ("grace@example.org", "added", None)
    assert link_key(guest) != key
    new_guest(alice, event)  # the old address is free


def test_answer_is_kept_with_another_address(alice, event):
    guest = new_guest(alice, event)
    answered = alice.patch(path_of(guest), json={"status": "declined"}).json
    key = invite(guest, "declined")
    moved = alice.put(path_of(guest), json={"email": "grace@example.org"}).json
    assert (moved["status"], moved["answered_at"]) == ("declined", answered["answered_at"])
    assert moved["invited_at"] is None
    assert link_key(guest) != key


@pytest.mark.parametrize("email", ["grace@example.com", "Grace@Example.com"])
def test_same_address_in_whatever_case_keeps_the_link(alice, event, email):
    guest = new_guest(alice, event)
    key = invite(guest)
    changed = alice.put(path_of(guest), json={"email": email, "name": "Grace"}).json
    assert (changed["email"], changed["status"], link_key(guest)) == (email, "invited", key)
    assert changed["invited_at"] is not None


# Answers by telephone


@pytest.mark.parametrize("before", STATUSES)
@pytest.mark.parametrize("answer", ["accepted", "declined"])
def test_answer_is_noted_with_its_time(alice, event, before, answer):
    guest = new_guest(alice, event)
    invite(guest, before)
    since = now()
    noted = alice.patch(path_of(guest), json={"status": answer})
    assert noted.status_code == 200
    assert noted.json["status"] == answer
    session.rollback()
    answered_at = session.get_one(Guest, guest["id"]).answered_at
    assert answered_at is None if before == answer else answered_at >= since


def test_same_answer_again_keeps_its_time(alice, event):
    guest = new_guest(alice, event)
    first = alice.patch(path_of(guest), json={"status": "accepted"}).json
    assert alice.patch(path_of(guest), json={"status": "accepted"}).json == first
    again = alice.put(path_of(guest), json={"email": guest["email"], "status": "accepted"}).json
    assert again["answered_at"] == first["answered_at"] is not None


def test_answer_is_taken_back(alice, event):
    guest = new_guest(alice, event)
    alice.patch(path_of(guest), json={"status": "accepted"})
    back = alice.patch(path_of(guest), json={"status": "added"}).json
    assert (back["status"], back["answered_at"]) == ("added", None)
