"""What is decided about guests: who is one already, what ends a link, and when somebody answered."""

from contextlib import nullcontext
from datetime import UTC, datetime
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from sqlalchemy.exc import IntegrityError

from app.errors import GuestExists, NotFound
from app.models import Guest
from app.models.guest import STATUSES
from app.services import guests

PARTY = SimpleNamespace(id=3)
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
BROKEN = IntegrityError("INSERT", {}, Exception("a constraint"))


@pytest.fixture
def session(monkeypatch) -> Mock:
    mock = Mock(**{"begin_nested.return_value": nullcontext()})
    monkeypatch.setattr(guests, "session", mock)
    return mock


@pytest.fixture
def insert(session, monkeypatch) -> Mock:
    mock = Mock()
    monkeypatch.setattr(guests, "insert_unless_there", mock)
    return mock


@pytest.fixture
def guest(session, monkeypatch):
    """Makes a row; to save it reaches no database."""
    monkeypatch.setattr(Guest, "save", lambda self, **_options: self)
    monkeypatch.setattr(guests, "now", lambda: NOON)
    monkeypatch.setattr(guests, "new_link_key", lambda: "a new key")
    facts = {"id": 1, "event_id": 3, "email": "Ana@example.com", "email_key": "ana@example.com", "name": "Ana"}
    facts |= {"role": "guest", "status": "added", "invited_at": NOON, "link_key": "its key"}
    return lambda **values: Guest(**facts | values)


def test_guest_is_added_under_the_address_as_given_and_compared_without_case(session, insert):
    added = guests.add(PARTY, {"email": "Ana@Example.com", "name": "Ana"})
    assert added is session.scalars.return_value.one_or_none.return_value
    insert.assert_called_once_with(Guest, index_elements=["event_id", "email_key"])
    values = {"event_id": 3, "email": "Ana@Example.com", "email_key": "ana@example.com", "name": "Ana"}
    insert.return_value.values.assert_called_once_with(**values)


def test_who_is_there_already_is_not_added(session, insert):
    session.scalars.return_value.one_or_none.return_value = None
    with pytest.raises(GuestExists):
        guests.add(PARTY, {"email": "ana@example.com"})


def test_nobody_is_added_to_an_event_that_is_gone(session, insert):
    session.scalars.side_effect = BROKEN
    with pytest.raises(NotFound):
        guests.add(PARTY, {"email": "ana@example.com"})


def test_only_what_is_named_changes(guest, session):
    changed = guests.change(guest(), {"name": "Ana B.", "id": 99, "link_key": "mine"})
    assert (changed.id, changed.name, changed.role, changed.link_key) == (1, "Ana B.", "guest", "its key")
    session.begin_nested.assert_not_called()


@pytest.mark.parametrize("status", STATUSES)
def test_another_address_has_another_link_and_no_invitation(guest, status):
    moved = guests.change(guest(status=status), {"email": "Ana@Example.org"})
    assert (moved.email, moved.email_key) == ("Ana@Example.org", "ana@example.org")
    assert (moved.link_key, moved.invited_at) == ("a new key", None)
    assert moved.status == ("added" if status == "invited" else status)


def test_same_address_in_another_case_keeps_everything_else(guest, session):
    changed = guests.change(guest(status="invited"), {"email": "ANA@example.com"})
    assert (changed.email, changed.email_key) == ("ANA@example.com", "ana@example.com")
    assert (changed.link_key, changed.invited_at, changed.status) == ("its key", NOON, "invited")
    session.begin_nested.assert_not_called()


def test_address_that_somebody_has_is_refused(guest, monkeypatch):
    monkeypatch.setattr(Guest, "update", Mock(side_effect=BROKEN))
    with pytest.raises(GuestExists):
        guests.change(guest(), {"email": "bo@example.com"})


@pytest.mark.parametrize("answer", ["accepted", "declined"])
@pytest.mark.parametrize("before", STATUSES)
def test_answer_has_the_time_at_which_it_changed(guest, before, answer):
    earlier = datetime(2026, 1, 1, tzinfo=UTC)
    changed = guests.change(guest(status=before, answered_at=earlier), {"status": answer})
    assert changed.status == answer
    assert changed.answered_at == (earlier if before == answer else NOON)


@pytest.mark.parametrize("before", ["invited", "accepted", "declined"])
def test_answer_that_is_taken_back_has_no_time(guest, before):
    changed = guests.change(guest(status=before, answered_at=NOON), {"status": "added"})
    assert (changed.status, changed.answered_at) == ("added", None)


def test_answer_may_come_with_another_address(guest):
    changed = guests.change(guest(status="invited"), {"email": "ana@example.org", "status": "accepted"})
    assert (changed.status, changed.answered_at, changed.link_key) == ("accepted", NOON, "a new key")
