"""Guests, straight from the database, and the paths of the links that are mailed to them."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from sqlalchemy import select

from app.db import session
from app.helpers import links
from app.models import Event, Guest, User
from app.models.base import now

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
IN_A_MONTH, YESTERDAY = timedelta(days=30), timedelta(days=-1)


class Account(Protocol):
    """A `Person`, or the row itself."""

    id: int


class Invited(NamedTuple):
    id: int
    event_id: int
    path: str  # of the page


class State(NamedTuple):
    status: str
    invited_at: datetime | None
    answered_at: datetime | None
    updated_at: datetime


def invited(
    host: Account, *, starts_in: timedelta | None = IN_A_MONTH, event: str = "Summer party", **values: Any
) -> Invited:
    """Somebody whom this account has invited to an event of its own."""
    starts_at = None if starts_in is None else now() + starts_in
    made = Event.create(user_id=host.id, name=event, starts_at=starts_at, place=values.pop("place", "The garden"))
    known = {"email": "grace@example.com", "name": "Grace", "status": "invited"} | values
    guest = Guest.create(event_id=made.id, email_key=User.key_of(known["email"]), **known)
    session.commit()
    found = Invited(guest.id, made.id, path_of(links.invitation_url(guest.link_key)))
    session.rollback()
    return found


def state(guest: Invited) -> State:
    columns = (Guest.status, Guest.invited_at, Guest.answered_at, Guest.updated_at)
    found = session.execute(select(*columns).where(Guest.id == guest.id)).one()
    session.rollback()
    return State(*found)


def way_out(host: Account, email: str = "grace@example.com") -> str:
    """The path to the end of this account's campaigns."""
    return path_of(links.unsubscribe_url(host.id, User.key_of(email)))


def path_of(url: str) -> str:
    return urlsplit(url).path


def damaged(path: str) -> str:
    """The same with another signature."""
    return path[:-6] + ("AAAAAA" if not path.endswith("AAAAAA") else "BBBBBB")
