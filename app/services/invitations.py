"""Invitations: the link that is mailed to a guest, and the answer that comes back."""

from sqlalchemy import select
from sqlalchemy.orm import contains_eager

from app.db import session
from app.errors import NotFound
from app.helpers import links
from app.models import Guest, Job
from app.queue import enqueue


def invite(guest: Guest) -> Job:
    """Mails the link, once more if it was mailed before. Conflict after the event has begun."""
    guest.check_before_start()
    return enqueue("guests.invite", target=guest, guest_id=guest.id)


def find(token: str, *, lock: bool = False) -> Guest:
    """The guest whose link this is, with the event; NotFound, in the same words, if the link is forged or was taken
    back, or the guest was deleted."""
    key = links.read_invitation(token)
    query = select(Guest).join(Guest.event).options(contains_eager(Guest.event)).where(Guest.link_key == key)
    if lock:
        query = query.with_for_update(of=Guest)
    guest = session.scalars(query).one_or_none() if key else None
    if guest is None:
        raise NotFound("This invitation was taken back, or the link is not complete.")
    return guest


def answer(token: str, given: str) -> Guest:
    """Notes what the guest says: `accepted` or `declined`. Conflict after the event has begun."""
    guest = find(token, lock=True)
    guest.answer(given)
    return guest
