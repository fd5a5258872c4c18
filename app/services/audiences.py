"""Who gets a campaign: the guests of its event that fit its audience, but for those who unsubscribed. Noted at its
launch, as a row each; whoever is added later is not among them."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, case, func, insert, literal, select, update

from app.db import session
from app.models import Campaign, Guest, Recipient, Unsubscription
from app.models.base import UtcDateTime, now
from app.services.recipients import UNSUBSCRIBED

MOST_TOLD = 100
COLUMNS = {"status": Guest.status, "role": Guest.role}


@dataclass(frozen=True)
class Reach:
    """How many guests are in the audience."""

    recipients: int
    unsubscribed: int


def is_empty(campaign: Campaign) -> bool:
    """Nobody would get it."""
    somebody = select(Guest.id).where(*_fits(campaign), _unsubscription(campaign).is_(None))
    return session.scalar(somebody.limit(1)) is None


def reach(campaign: Campaign) -> Reach:
    counted = select(func.count(), func.count(_unsubscription(campaign))).select_from(Guest).where(*_fits(campaign))
    found, unsubscribed = session.execute(counted).one()
    return Reach(found - unsubscribed, unsubscribed)


def unsubscribed(campaign: Campaign) -> list[str]:
    """The addresses of the first who would not get it."""
    refused = select(Guest.email).where(*_fits(campaign), _unsubscription(campaign).is_not(None))
    return list(session.scalars(refused.order_by(Guest.id).limit(MOST_TOLD)))


def write_down(campaign: Campaign) -> None:
    """A row for each, in one statement, however many there are."""
    moment, is_out = literal(now(), UtcDateTime()), _unsubscription(campaign).is_not(None)
    values = {
        "campaign_id": literal(campaign.id),
        "guest_id": Guest.id,
        "email": Guest.email,
        "email_key": Guest.email_key,
        "state": case((is_out, "skipped"), else_="pending"),
        "attempts": literal(0),
        "error": case((is_out, UNSUBSCRIBED)),
        "created_at": moment,
        "updated_at": moment,
    }
    rows = select(*values.values()).where(*_fits(campaign)).order_by(Guest.id)
    session.execute(insert(Recipient).from_select(list(values), rows, include_defaults=False))


def renew(campaign: Campaign, states: list[str]) -> int:
    """Those in one of these states are to get it after all, as if nothing had been tried. How many there are."""
    given_up = update(Recipient).where(Recipient.campaign_id == campaign.id, Recipient.state.in_(states))
    anew = given_up.values(state="pending", attempts=0, error=None, not_before=None)
    unseen = anew.execution_options(synchronize_session=False)  # no such row is in this session
    return int(session.execute(unseen).rowcount)  # type: ignore[attr-defined]


def _fits(campaign: Campaign) -> list[ColumnElement[bool]]:
    """Holds for the guests in the audience."""
    wanted = campaign.audience.items()
    return [Guest.event_id == campaign.event_id, *(COLUMNS[name].in_(values) for name, values in wanted)]


def _unsubscription(campaign: Campaign) -> ColumnElement[int | None]:
    """The guest's, from the account of the campaign; NULL if there is none. A look into the index for each guest: of a
    join PostgreSQL may make a nested loop over all pairs, if it has not counted the tables since they grew."""
    theirs = (Unsubscription.user_id == campaign.user_id, Unsubscription.email_key == Guest.email_key)
    return select(Unsubscription.id).where(*theirs).correlate(Guest).scalar_subquery()
