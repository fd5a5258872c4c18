"""Who gets a campaign: the guests of its event that fit its audience, but for those who unsubscribed. Noted at its
launch, as a row each; whoever is added later is not among them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, case, func, insert, literal, select, update

from app.db import session
from app.models import Campaign, Guest, Recipient, Unsubscription
from app.models.base import UtcDateTime, now

UNSUBSCRIBED = "unsubscribed"
CANCELLED = "the campaign was cancelled"
MOST_TOLD = 100
COLUMNS = {"status": Guest.status, "role": Guest.role}
HAS_UNSUBSCRIBED = Unsubscription.id.is_not(None)


@dataclass(frozen=True)
class Reach:
    """How many guests are in the audience."""

    recipients: int
    unsubscribed: int


def reach(campaign: Campaign) -> Reach:
    found, unsubscribed = session.execute(_among(campaign, func.count(), func.count(Unsubscription.id))).one()
    return Reach(found - unsubscribed, unsubscribed)


def unsubscribed(campaign: Campaign) -> list[str]:
    """The addresses of the first who would not get it."""
    refused = _among(campaign, Guest.email).where(HAS_UNSUBSCRIBED).order_by(Guest.id).limit(MOST_TOLD)
    return list(session.scalars(refused))


def write_down(campaign: Campaign) -> None:
    """A row for each, in one statement, however many there are."""
    moment = literal(now(), UtcDateTime())
    values = {
        "campaign_id": literal(campaign.id),
        "guest_id": Guest.id,
        "email": Guest.email,
        "email_key": Guest.email_key,
        "state": case((HAS_UNSUBSCRIBED, "skipped"), else_="pending"),
        "attempts": literal(0),
        "error": case((HAS_UNSUBSCRIBED, UNSUBSCRIBED)),
        "created_at": moment,
        "updated_at": moment,
    }
    rows = _among(campaign, *values.values()).order_by(Guest.id)
    session.execute(insert(Recipient).from_select(list(values), rows, include_defaults=False))


def skip_pending(campaign: Campaign) -> None:
    """Nobody else gets it."""
    waiting = update(Recipient).where(Recipient.campaign_id == campaign.id, Recipient.state == "pending")
    session.execute(_unseen(waiting.values(state="skipped", error=CANCELLED, not_before=None)))


def renew(campaign: Campaign, states: list[str]) -> int:
    """Those in one of these states are to get it after all, as if nothing had been tried. How many there are."""
    given_up = update(Recipient).where(Recipient.campaign_id == campaign.id, Recipient.state.in_(states))
    anew = given_up.values(state="pending", attempts=0, error=None, not_before=None)
    return int(session.execute(_unseen(anew)).rowcount)  # type: ignore[attr-defined]


def _unseen(statement: Any) -> Any:
    """No such row is in this session: there is nothing to bring up to date."""
    return statement.execution_options(synchronize_session=False)


def _among(campaign: Campaign, *columns: Any) -> Select[Any]:
    """These columns of the guests in the audience; beside each, its unsubscription from the account, if any."""
    theirs = and_(Unsubscription.user_id == campaign.user_id, Unsubscription.email_key == Guest.email_key)
    fits = [COLUMNS[name].in_(wanted) for name, wanted in campaign.audience.items()]
    found = select(*columns).select_from(Guest).outerjoin(Unsubscription, theirs)
    return found.where(Guest.event_id == campaign.event_id, *fits)
