"""`/api/v1/campaigns/{id}/recipients`, and the invitation of all guests of an event."""

from datetime import UTC, datetime, timedelta

import pytest
from campaigns import add_guests, event_with, launched, new_campaign, show, unsubscribe
from events import send_at_once
from sqlalchemy import func, select, update

from app.db import session
from app.models import Campaign, Guest, Recipient
from app.services.messages import INVITATION_BODY, INVITATION_SUBJECT


def test_draft_has_no_recipients(alice):
    campaign = new_campaign(alice, event_id=event_with(alice, 2))
    assert alice.get(f"/api/v1/campaigns/{campaign['id']}/recipients").json == {"items": []}


def test_recipients_are_shown_page_by_page(alice):
    launched(alice, 1)
    campaign = launched(alice, 5)
    path, seen, token = f"/api/v1/campaigns/{campaign['id']}/recipients?page_size=2", [], ""
    while True:
        page = alice.get(path + token).json
        seen += page["items"]
        if "next_page_token" not in page:
            break
        token = f"&page_token={page['next_page_token']}"
    assert [row["email"] for row in seen] == [f"guest{number}@example.com" for number in range(5)]
    blank = {"state": "pending", "attempts": 0, "error": None, "sending_at": None, "sent_at": None}
    assert seen[0] == {"id": seen[0]["id"], "guest_id": seen[0]["guest_id"], "email": "guest0@example.com"} | blank


def test_recipients_are_found_by_state(alice):
    event_id = event_with(alice, 3)
    unsubscribe(alice, "guest1@example.com")
    campaign = new_campaign(alice, event_id=event_id)
    path = f"/api/v1/campaigns/{campaign['id']}"
    alice.post(f"{path}/launch", json={})
    (skipped,) = alice.get(f"{path}/recipients?state=skipped").json["items"]
    assert (skipped["email"], skipped["error"]) == ("guest1@example.com", "unsubscribed")
    assert len(alice.get(f"{path}/recipients?state=pending&sort=-id").json["items"]) == 2
    assert alice.get(f"{path}/recipients?state=lost").status_code == 422


def test_deleted_guest_leaves_its_row(alice):
    campaign = launched(alice, 1)
    session.delete(session.scalars(select(Guest)).one())
    session.commit()
    (row,) = alice.get(f"/api/v1/campaigns/{campaign['id']}/recipients").json["items"]
    assert (row["guest_id"], row["email"]) == (None, "guest0@example.com")


def test_all_guests_who_were_not_invited_are_invited(alice):
    event_id = event_with(alice, 2)
    add_guests(event_id, "told@example.com", status="invited")
    answer = alice.post(f"/api/v1/events/{event_id}/guests/invite")
    assert answer.status_code == 202
    assert answer.json["type"] == "campaigns.deliver"
    campaign = show(alice, answer.json["target"])
    assert (campaign["name"], campaign["subject"], campaign["body"], campaign["audience"]) == (
        "Invitations",
        INVITATION_SUBJECT,
        INVITATION_BODY,
        {"status": ["added"]},
    )
    assert (campaign["status"], campaign["event_id"]) == ("sending", event_id)
    states = session.execute(select(Recipient.email, Recipient.state).order_by(Recipient.id)).all()
    assert states == [("guest0@example.com", "pending"), ("guest1@example.com", "pending")]


def test_nobody_is_invited_twice_at_once(alice):
    event_id = event_with(alice, 2)
    first = alice.post(f"/api/v1/events/{event_id}/guests/invite").json
    again = alice.post(f"/api/v1/events/{event_id}/guests/invite")
    assert again.status_code == 409
    assert again.json["detail"].startswith(f"Campaign {first['target']['id']} is inviting guests of this event")
    assert len(alice.get("/api/v1/campaigns").json["items"]) == 1
    other = event_with(alice, 1)
    assert alice.post(f"/api/v1/events/{other}/guests/invite").status_code == 202
    session.execute(update(Campaign).values(status="done"))
    session.commit()
    assert alice.post(f"/api/v1/events/{event_id}/guests/invite").status_code == 202  # for those who were left


def test_two_invitations_at_once_are_one(app, alice):
    request = ("POST", f"/api/v1/events/{event_with(alice, 2)}/guests/invite", {})
    assert send_at_once(app, alice, *[request] * 3) == [202, 409, 409]
    assert session.scalar(select(func.count()).select_from(Recipient)) == 2


@pytest.mark.parametrize("guests", [0, 1])
def test_nobody_to_invite_is_a_conflict_and_makes_nothing(alice, guests):
    event_id = event_with(alice)
    if guests:
        add_guests(event_id, "told@example.com", status="accepted")
    answer = alice.post(f"/api/v1/events/{event_id}/guests/invite")
    assert answer.status_code == 409
    assert (
        answer.json["detail"]
        == "The campaign can't be launched: audience is empty: no guest of the event would get it."
    )
    assert alice.get("/api/v1/campaigns").json == {"items": []}


def test_event_that_has_begun_invites_nobody(alice):
    event_id = event_with(alice, 1, starts_at=datetime.now(UTC) - timedelta(minutes=1))
    assert alice.post(f"/api/v1/events/{event_id}/guests/invite").status_code == 409
    assert alice.get("/api/v1/campaigns").json == {"items": []}


def test_strangers_event_is_not_there(alice, bob):
    event_id = event_with(alice, 1)
    for path in (event_id, 999_999, 2**64):
        assert bob.post(f"/api/v1/events/{path}/guests/invite").status_code == 404
