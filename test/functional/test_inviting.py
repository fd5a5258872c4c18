"""Mailing a guest the link to the invitation, and taking it back."""

import email
import re
from email import policy

import pytest
from invited import YESTERDAY, invited, path_of, state
from people import Person

from app.db import session
from app.helpers import mailer
from app.models import Event, Guest, Job
from app.models.base import now


@pytest.fixture
def guest(alice):
    return invited(alice, status="added")


def invite(person, guest, **options):
    return person.post(f"/api/v1/guests/{guest.id}/invite", **options)


def take_back(person, guest, **options):
    return person.delete(f"/api/v1/guests/{guest.id}/invitation", **options)


def links_in(mails) -> list[str]:
    """The paths of the pages that were mailed, oldest first."""
    texts = [email.message_from_string(mail, policy=policy.default).get_content() for mail in mails()]
    return [path_of(found) for text in texts for found in re.findall(r"\S+/invitations/\S+", text)]


def result(answer) -> dict:
    session.rollback()
    return session.get_one(Job, answer.json["id"]).result


def test_invitation_is_mailed_with_a_link_that_works(alice, client, guest, work, mails):
    answer = invite(alice, guest)
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/api/v1/jobs/{answer.json['id']}"
    assert (answer.json["type"], answer.json["queue"]) == ("guests.invite", "high")
    assert answer.json["target"] == {"type": "guest", "id": guest.id, "href": f"/api/v1/guests/{guest.id}"}
    assert state(guest).status == "added"  # not before the mail is on its way
    work()
    assert result(answer) == {"sent": True}
    (mail,) = mails()
    assert "To: Grace <grace@example.com>" in mail
    assert "Subject: Invitation: Summer party" in mail
    assert f"invitation-{answer.json['id']}@" in mail
    assert links_in(mails) == [guest.path]
    assert client.get(guest.path).json["guest"]["status"] == "invited"
    assert state(guest).invited_at is not None


def test_asked_again_it_is_mailed_again_and_an_answer_stays(alice, client, guest, work, mails):
    invite(alice, guest)
    work()
    first = state(guest)
    client.post(guest.path, json={"answer": "accepted"})
    invite(alice, guest)
    work()
    assert links_in(mails) == [guest.path] * 2
    assert state(guest).status == "accepted"
    assert state(guest).invited_at > first.invited_at


def test_guest_who_answers_while_the_mail_goes_out_has_answered(alice, app, guest, work, monkeypatch):
    def send_slowly(_mail) -> None:
        assert app.test_client().post(guest.path, json={"answer": "declined"}).status_code == 200

    monkeypatch.setattr(mailer, "send", send_slowly)
    answer = invite(alice, guest)
    work()
    assert result(answer) == {"sent": True}
    assert state(guest).status == "declined"
    assert state(guest).invited_at is not None


def test_guest_whose_address_changes_while_the_mail_goes_out_is_not_invited(alice, app, guest, work, monkeypatch):
    """The mail is for the old one, and its link ends with that."""

    def send_slowly(_mail) -> None:
        mine = Person(app.test_client(), alice.email, alice.id, alice.token)
        changed = mine.patch(f"/api/v1/guests/{guest.id}", json={"email": "new@example.com"})
        assert changed.status_code == 200, changed.text

    monkeypatch.setattr(mailer, "send", send_slowly)
    invite(alice, guest)
    work()
    assert (state(guest).status, state(guest).invited_at) == ("added", None)


@pytest.mark.parametrize("gone", [Guest, Event])
def test_nobody_writes_to_who_was_deleted_meanwhile(alice, guest, work, mails, gone):
    answer = invite(alice, guest)
    session.delete(session.get_one(gone, guest.id if gone is Guest else guest.event_id))
    session.commit()
    work()
    assert result(answer) == {"sent": False}
    assert mails() == []


def test_guest_may_be_deleted_while_the_mail_goes_out(alice, guest, work, monkeypatch):
    def send_and_delete(_mail) -> None:
        session.delete(session.get_one(Guest, guest.id))
        session.commit()

    monkeypatch.setattr(mailer, "send", send_and_delete)
    answer = invite(alice, guest)
    work()
    assert result(answer) == {"sent": True}


def test_nobody_is_invited_to_what_has_begun(alice, work, mails):
    over = invited(alice, starts_in=YESTERDAY)
    refused = invite(alice, over)
    assert (refused.status_code, refused.json["type"].rpartition("/")[2]) == (409, "conflict")
    assert session.query(Job).count() == 0


def test_mail_that_would_come_too_late_is_not_sent(alice, guest, work, mails):
    answer = invite(alice, guest)
    session.get_one(Event, guest.event_id).starts_at = now()
    session.commit()
    work()
    assert result(answer) == {"sent": False}
    assert mails() == []
    assert state(guest).status == "added"


def test_links_that_were_sent_are_taken_back_and_new_ones_work(alice, client, guest, work, mails):
    invite(alice, guest)
    work()
    client.post(guest.path, json={"answer": "accepted"})
    answer = take_back(alice, guest)
    assert (answer.status_code, answer.data) == (204, b"")
    assert client.get(guest.path).status_code == 404
    assert client.post(guest.path, json={"answer": "declined"}).status_code == 404
    assert state(guest).status == "accepted"
    invite(alice, guest)
    work()
    (new,) = set(links_in(mails)) - {guest.path}
    assert client.get(new).json["guest"]["status"] == "accepted"


def test_taking_back_heeds_if_match(alice, client, guest):
    assert take_back(alice, guest, headers={"If-Match": '"stale"'}).status_code == 412
    assert client.get(guest.path).status_code == 200


@pytest.mark.parametrize("act", [invite, take_back])
def test_stranger_finds_no_guest(alice, bob, client, guest, act):
    assert act(bob, guest).status_code == 404
    assert act(alice, guest._replace(id=guest.id + 1)).status_code == 404
    assert act(alice, guest._replace(id=2**63)).status_code == 404
    assert client.get(guest.path).status_code == 200
    assert session.query(Job).count() == 0


@pytest.mark.parametrize("act", [invite, take_back])
def test_named_token_needs_the_scope(alice, client, guest, act):
    for scope, refused in (("events:read", True), ("events:write", False)):
        body = {"name": scope, "scopes": [scope]}
        token = alice.post("/api/v1/user/tokens", json=body).json["token"]
        answer = act(Person(client, "", alice.id, token), guest)
        assert (answer.status_code == 403) is refused
        assert not refused or answer.json["required_scope"] == "events:write"


def test_invitation_can_be_waited_for_and_canceled(alice, guest, work, mails):
    answer = invite(alice, guest, headers={"Prefer": "wait=0"})
    assert alice.post(f"/api/v1/jobs/{answer.json['id']}/cancel").json["status"] == "canceled"
    work()
    assert mails() == []
    assert state(guest).status == "added"
