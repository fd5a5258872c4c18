"""Events with guests, and campaigns for them, as tests need them."""

from typing import Any

from people import Person
from sqlalchemy import insert

from app.db import session
from app.models import Event, Guest, Unsubscription, User
from app.models.base import now
from app.models.guest import new_link_key

TEXT = {"subject": "News of {{ event.name }}", "body": "Dear {{ guest.name }}, come!"}


def event_with(owner: Person, guests: int = 0, **fields: Any) -> int:
    """The id of an event with guests like `guest3@example.com`, every second of them a "vip"."""
    event = Event.create(user_id=owner.id, **{"name": "The party"} | fields)
    event_id = event.id
    add_guests(event_id, *(f"guest{number}@example.com" for number in range(guests)))
    session.commit()
    return event_id


def add_guests(event_id: int, *emails: str, **fields: Any) -> None:
    common = {"event_id": event_id, "status": "added", "created_at": now(), "updated_at": now()}
    rows = [
        common
        | {"email": email, "email_key": User.key_of(email), "name": email.partition("@")[0].title()}
        | {"role": "vip" if number % 2 else "guest", "link_key": new_link_key()}
        | fields
        for number, email in enumerate(emails)
    ]
    if rows:
        session.execute(insert(Guest), rows)
    session.commit()


def unsubscribe(owner: Person, *emails: str) -> None:
    session.add_all(Unsubscription(user_id=owner.id, email_key=User.key_of(email)) for email in emails)
    session.commit()


def new_campaign(owner: Person, **fields: Any) -> dict[str, Any]:
    answer = owner.post("/api/v1/campaigns", json={"name": "News", **TEXT, **fields})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json
    return found


def launched(owner: Person, guests: int = 3, **fields: Any) -> dict[str, Any]:
    """A campaign that is under way, to so many guests."""
    campaign = new_campaign(owner, event_id=event_with(owner, guests), **fields)
    answer = owner.post(f"/api/v1/campaigns/{campaign['id']}/launch")
    assert answer.status_code == 202, answer.text
    return show(owner, campaign)


def show(owner: Person, campaign: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = owner.get(f"/api/v1/campaigns/{campaign['id']}").json
    return found
