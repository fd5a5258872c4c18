"""Events. One is deleted with its guests; what else belongs to it stays, and loses it."""

from typing import Any

from sqlalchemy import select

from app.db import session
from app.errors import Conflict
from app.helpers.validation import parse_moment
from app.models import Campaign, Event, User
from app.models.campaign import UNDER_WAY


def create(user: User, fields: dict[str, Any]) -> Event:
    return Event.create(user_id=user.id, **_values(fields))


def change(event: Event, fields: dict[str, Any]) -> Event:
    event.update(**_values(fields))
    return event


def delete(event: Event) -> None:
    """Conflict while one of its campaigns is under way. All of them are locked, so that none begins in between.
    `event` is locked."""
    statuses = session.scalars(select(Campaign.status).where(Campaign.event_id == event.id).with_for_update())
    if not set(UNDER_WAY).isdisjoint(statuses):
        raise Conflict("A campaign of this event is under way: cancel it, or wait until it is done.")
    event.delete()


def _values(fields: dict[str, Any]) -> dict[str, Any]:
    """The columns for a body that fits the schema."""
    values: dict[str, Any] = {name: fields[name] for name in ("name", "place") if name in fields}
    if "starts_at" in fields:
        values["starts_at"] = parse_moment(fields["starts_at"]) if fields["starts_at"] else None
    return values
