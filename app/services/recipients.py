"""The rows of a campaign's messages, as `sending.py` moves them: whose turn it is, and what became of them.

A row is moved out of `sending` only by who marked it, which its `sending_at` tells, or by who has the campaign's job
after that one. Every change of a campaign begins with the lock of its row.
"""

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, case, exists, func, or_, select, update
from sqlalchemy.orm import joinedload

from app.db import session
from app.helpers.mailer import Attached, Away, Mail, Refused, Unsure
from app.models import Campaign, Guest, Recipient, Unsubscription
from app.models.base import now
from app.services import messages

DELAYS = tuple(timedelta(seconds=seconds) for seconds in (60, 300, 1800, 7200))  # after refusals for now
UNSUBSCRIBED, CANCELLED = "unsubscribed", "the campaign was cancelled"
DELETED, MOVED = "the guest was deleted", "the guest has another address by now"
DIED = "The process that sent it died before it could note whether the mail server took it."


@dataclass
class Letter:
    """A message whose turn it is."""

    recipient_id: int
    guest_id: int
    attempts: int  # this one included
    mail: Mail
    marked_at: datetime
    clock: float = field(default_factory=time.monotonic)  # then
    outcome: Exception | None = None  # of the hand-over: Refused, Away, Unsure; None: it was taken


def lock(campaign_id: int) -> Campaign | None:
    query = select(Campaign).where(Campaign.id == campaign_id).options(joinedload(Campaign.event))
    return session.scalars(query.with_for_update(of=Campaign).execution_options(populate_existing=True)).one_or_none()


def count(campaign: Campaign) -> Counter[str]:
    """By state."""
    return Counter(Recipient.counts_of(campaign.id))


def resolve(campaign: Campaign) -> None:
    """What a process was sending that is dead, or has lost the job: nobody knows whether it was sent."""
    again = campaign.if_unknown == "send_again" and campaign.is_under_way
    _change(campaign, Recipient.state == "sending", state="pending" if again else "unknown", error=DIED)


def skip_pending(campaign: Campaign) -> None:
    """Nobody else gets it."""
    _change(campaign, Recipient.state == "pending", state="skipped", error=CANCELLED, not_before=None)


def first_retry(campaign: Campaign) -> datetime | None:
    """When the first of those is due that the mail server refused for now; None: nobody is left."""
    return session.scalar(select(func.min(Recipient.not_before)).where(*_pending(campaign)))


@dataclass
class Turn:
    """Whose turn it is now."""

    letters: list[Letter] = field(default_factory=list)
    skipped: int = 0  # passed over, for good
    last_id: int = 0  # of the recipients looked at


def mark(campaign: Campaign, most: int, attached: Attached | None, counts: Counter[str], after: int) -> Turn:
    """The next of the pending with an id above `after`, now `sending`. To begin each time with the first would cost
    more with each that is done, or waits: in the index they lie before the rest."""
    moment, event = now(), campaign.event
    letters: list[Letter] = []
    skipped: dict[str, list[int]] = {}
    found = session.execute(_next(campaign, moment, most).where(Recipient.id > after)).all()
    for recipient, guest, is_unsubscribed in found:
        why = _why_not(recipient, guest, is_unsubscribed)
        if why or event is None:
            skipped.setdefault(why or DELETED, []).append(recipient.id)
            continue
        mail = messages.message(campaign, event, guest, recipient, attached)
        letters.append(Letter(recipient.id, guest.id, recipient.attempts + 1, mail, moment))
    for why, ids in skipped.items():
        _change(campaign, Recipient.id.in_(ids), state="skipped", error=why)
    number = sum(map(len, skipped.values()))
    if letters:
        marks: dict[str, Any] = {"state": "sending", "sending_at": moment, "attempts": Recipient.attempts + 1}
        _change(campaign, Recipient.id.in_([letter.recipient_id for letter in letters]), **marks, not_before=None)
        if campaign.messages_per_minute:
            campaign.next_message_at = moment + len(letters) * timedelta(minutes=1) / campaign.messages_per_minute
    counts.update({"pending": -len(letters) - number, "sending": len(letters), "skipped": number})
    return Turn(letters, number, found[-1][0].id if found else 0)


def _why_not(recipient: Recipient, guest: Guest | None, is_unsubscribed: bool) -> str | None:
    """What has come up since the launch that keeps the message from being sent."""
    if is_unsubscribed:
        return UNSUBSCRIBED
    if guest is None:
        return DELETED
    return None if guest.email_key == recipient.email_key else MOVED  # the old address must not get the new link


def _pending(campaign: Campaign) -> tuple[ColumnElement[bool], ...]:
    return Recipient.campaign_id == campaign.id, Recipient.state == "pending"


def _next(campaign: Campaign, moment: datetime, most: int) -> Select[Recipient, Guest, bool]:
    """With a limit on messages a minute, no more at a time than may go out in a second."""
    if campaign.messages_per_minute:
        most = min(most, max(1, campaign.messages_per_minute // 60))
    mine = (Unsubscription.user_id == campaign.user_id, Unsubscription.email_key == Recipient.email_key)
    is_due = or_(Recipient.not_before.is_(None), Recipient.not_before <= moment)
    query = select(Recipient, Guest, exists().where(*mine)).outerjoin(Guest, Guest.id == Recipient.guest_id)
    in_order = query.where(*_pending(campaign), is_due).order_by(Recipient.id).limit(most)
    return in_order.execution_options(populate_existing=True)


def note(campaign: Campaign, letters: list[Letter], counts: Counter[str]) -> None:
    """What became of the round before. Guests first: who deletes one locks it before the recipients that name it."""
    moment = now()
    sent = [letter for letter in letters if letter.outcome is None]
    if sent and messages.invites(campaign):
        _invite([letter.guest_id for letter in sent], moment)
    if sent:
        ids = [letter.recipient_id for letter in sent]
        _change(campaign, Recipient.id.in_(ids), _marked(sent[0]), state="sent", sent_at=moment, error=None)
    for letter in letters:
        values = fate(letter, campaign.if_unknown, moment)
        if letter.outcome is not None:
            _change(campaign, Recipient.id == letter.recipient_id, _marked(letter), **values)
        counts.update({"sending": -1})
        counts.update({values["state"]: 1})


def put_back(letters: list[Letter]) -> None:
    """They were marked, and surely not handed over."""
    for letter in letters:
        values = {"state": "pending", "attempts": letter.attempts - 1}
        session.execute(update(Recipient).where(Recipient.id == letter.recipient_id, _marked(letter)).values(**values))


def fate(letter: Letter, if_unknown: str, moment: datetime) -> dict[str, Any]:
    """The columns of a recipient after the hand-over."""
    outcome, is_last = letter.outcome, letter.attempts > len(DELAYS)
    if outcome is None:
        return {"state": "sent"}
    if isinstance(outcome, Away):
        return {"state": "pending", "attempts": letter.attempts - 1}
    error = str(outcome)
    if isinstance(outcome, Refused) and (outcome.is_final or is_last):
        return {"state": "failed", "error": error}
    # A server that never answers would get the same message for ever.
    if isinstance(outcome, Unsure) and (if_unknown == "leave" or is_last):
        return {"state": "unknown", "error": error}
    return {"state": "pending", "error": error, "not_before": moment + DELAYS[letter.attempts - 1]}


def _marked(letter: Letter) -> ColumnElement[bool]:
    return (Recipient.state == "sending") & (Recipient.sending_at == letter.marked_at)


def _invite(guest_ids: list[int], moment: datetime) -> None:
    status = case((Guest.status == "added", "invited"), else_=Guest.status)
    statement = update(Guest).where(Guest.id.in_(guest_ids)).values(status=status, invited_at=moment)
    session.execute(statement.execution_options(synchronize_session=False))


def _change(campaign: Campaign, *which: ColumnElement[bool], **values: Any) -> None:
    statement = update(Recipient).where(Recipient.campaign_id == campaign.id, *which).values(**values)
    session.execute(statement.execution_options(synchronize_session=False))
