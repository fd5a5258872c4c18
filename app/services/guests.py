"""Guests of events: one for each address, whoever else adds it at the same moment."""

from typing import Any

from sqlalchemy.exc import IntegrityError

from app.db import insert_unless_there, session
from app.errors import GuestExists, NotFound
from app.models import Event, Guest, User
from app.models.base import now
from app.models.guest import new_link_key

CHANGEABLE = ("name", "role", "status")


def add(event: Event, fields: dict[str, Any]) -> Guest:
    """A new guest; GuestExists if the event has one with this address, in whatever case."""
    values = {"event_id": event.id, "email_key": User.key_of(fields["email"]), **fields}
    insert = insert_unless_there(Guest, index_elements=["event_id", "email_key"]).values(**values)
    try:
        guest: Guest | None = session.scalars(insert.returning(Guest)).one_or_none()
    except IntegrityError:  # the event was deleted in between
        raise NotFound from None
    if guest is None:
        raise GuestExists
    return guest


def change(guest: Guest, fields: dict[str, Any]) -> Guest:
    """Changes these fields; GuestExists if another guest of the event has the address. A status is the answer that the
    organiser heard, now; the same one again is no news. `guest` is locked."""
    values = {name: fields[name] for name in CHANGEABLE if name in fields}
    if "email" in fields:
        _move(guest, fields["email"])
    if values.get("status", guest.status) != guest.status:
        values["answered_at"] = now() if values["status"] in ("accepted", "declined") else None
    guest.update(**values)
    return guest


def _move(guest: Guest, email: str) -> None:
    """To another address. The old one's link ends, and the new one has got none yet: so the guest is not invited."""
    key = User.key_of(email)
    if key == guest.email_key:
        guest.email = email
        return
    values: dict[str, Any] = {"email": email, "email_key": key, "link_key": new_link_key(), "invited_at": None}
    if guest.status == "invited":
        values["status"] = "added"
    try:
        with session.begin_nested():
            guest.update(**values)
    except IntegrityError:
        raise GuestExists from None
