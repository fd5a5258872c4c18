"""What a guest may answer and when, and what the services and the job do about it."""

from datetime import timedelta
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from app.errors import Conflict, NotFound
from app.helpers import links
from app.models import Event, Guest
from app.models.base import now
from app.models.guest import STATUSES
from app.services import invitations, unsubscriptions
from app.workers import guests as jobs

MINUTE = timedelta(minutes=1)


def guest_of(starts_in: timedelta | None = MINUTE, **values) -> Guest:
    starts_at = None if starts_in is None else now() + starts_in
    event = Event(id=3, name="Summer party", starts_at=starts_at)
    known = {"id": 5, "email": "grace@example.com", "name": "Grace", "role": "guest", "link_key": "a key"}
    return Guest(event=event, **known | {"status": "invited"} | values)


def token() -> str:
    return links.invitation_url("a key").rpartition("/")[2]


@pytest.fixture
def session(monkeypatch) -> Mock:
    """The database, as far as the services and the job ask it. `found` is who has the link."""
    mock = Mock(found=guest_of())
    mock.scalars.side_effect = lambda _query: SimpleNamespace(one_or_none=lambda: mock.found)
    mock.get.side_effect = lambda *_args, **_options: mock.found
    monkeypatch.setattr(invitations, "session", mock)
    monkeypatch.setattr(jobs, "session", mock)
    monkeypatch.setattr(Guest, "find", lambda _id: mock.found)
    return mock


@pytest.fixture
def enqueue(monkeypatch) -> Mock:
    mock = Mock()
    monkeypatch.setattr(invitations, "enqueue", mock)
    return mock


@pytest.fixture
def send(settings, monkeypatch) -> Mock:
    """Takes the mails; `moments` tells what was done in which order."""
    moments: list[str] = []
    mock = Mock(moments=moments, side_effect=lambda _mail: moments.append("sent"))
    monkeypatch.setattr(jobs.mailer, "send", mock)
    monkeypatch.setattr(jobs, "checkpoint", lambda: moments.append("checkpoint"))
    return mock


# The model


@pytest.mark.parametrize("before", STATUSES)
@pytest.mark.parametrize("given", ["accepted", "declined"])
def test_answer_is_noted_with_its_time(before, given):
    guest = guest_of(status=before)
    guest.answer(given)
    assert guest.status == given
    assert (guest.answered_at is None) is (before == given)


@pytest.mark.parametrize("starts_in", [timedelta(), -MINUTE])
def test_nobody_answers_after_the_event_has_begun(starts_in):
    guest = guest_of(starts_in)
    with pytest.raises(Conflict, match="The event has begun"):
        guest.answer("accepted")
    assert (guest.status, guest.answered_at) == ("invited", None)


def test_event_without_a_date_never_begins():
    guest = guest_of(None)
    guest.answer("accepted")
    assert guest.status == "accepted"


@pytest.mark.parametrize("before", STATUSES)
def test_mail_makes_only_who_was_added_invited(before):
    guest = guest_of(status=before)
    guest.note_invitation()
    assert guest.status == ("invited" if before == "added" else before)
    assert guest.invited_at is not None


def test_taking_back_the_links_makes_another_key():
    guest = guest_of()
    guest.take_back_links()
    assert guest.link_key != "a key"


# The services


def test_link_finds_its_guest(settings, session):
    assert invitations.find(token()) is session.found


def test_nobody_asks_the_database_for_a_forged_link(settings, session):
    with pytest.raises(NotFound, match="taken back, or the link is not complete"):
        invitations.find("aci_forged")
    session.scalars.assert_not_called()


def test_link_of_nobody_is_not_found(settings, session):
    session.found = None
    with pytest.raises(NotFound, match="taken back, or the link is not complete"):
        invitations.find(token())


@pytest.mark.parametrize("locks", [False, True])
def test_guest_is_locked_only_to_be_changed(settings, session, locks):
    (invitations.answer(token(), "accepted") if locks else invitations.find(token()))
    query = session.scalars.call_args.args[0]
    assert (query._for_update_arg is not None) is locks


def test_invitation_is_a_job_about_the_guest(enqueue):
    guest = guest_of()
    assert invitations.invite(guest) is enqueue.return_value
    enqueue.assert_called_once_with("guests.invite", target=guest, guest_id=5)


def test_nobody_is_invited_after_the_event_has_begun(enqueue):
    with pytest.raises(Conflict):
        invitations.invite(guest_of(-MINUTE))
    enqueue.assert_not_called()


def test_forged_way_out_is_not_found_without_a_question_to_the_database(settings, monkeypatch):
    mock = Mock()
    monkeypatch.setattr(unsubscriptions, "session", mock)
    for act in (unsubscriptions.find, unsubscriptions.unsubscribe, unsubscriptions.subscribe):
        with pytest.raises(NotFound):
            act("acu_forged")
    mock.execute.assert_not_called()


# The job


def test_invitation_is_mailed_outside_of_any_transaction(session, send):
    assert jobs.invite(5) == {"sent": True}
    assert send.moments == ["checkpoint", "sent"]
    mail = send.call_args.args[0]
    assert (mail.to, mail.name, mail.subject) == ("grace@example.com", "Grace", "Invitation: Summer party")
    assert links.invitation_url("a key") in mail.text
    assert session.found.invited_at is not None


@pytest.mark.parametrize("who", [None, guest_of(-MINUTE)])
def test_job_that_comes_too_late_mails_nobody(session, send, who):
    session.found = who
    assert jobs.invite(5) == {"sent": False}
    send.assert_not_called()


def test_mail_that_was_not_sent_invites_nobody(session, send):
    send.side_effect = OSError("no mail server")
    session.found = guest_of(status="added")
    with pytest.raises(OSError, match="no mail server"):
        jobs.invite(5)
    assert (session.found.status, session.found.invited_at) == ("added", None)
