"""Campaigns that are launched, made by their models alone."""

from typing import Any

from sqlalchemy import select

from app.db import session
from app.models import Campaign, Event, Guest, Job, Recipient
from app.models.base import now
from app.queue import enqueue

BODY = "Dear {{ guest.name }}, come: {{ guest.link }}"


def launch(user_id: int, guests: int = 3, **fields: Any) -> int:
    """The id of a campaign to guest0@example.com and so on, and the jobs that send it; nothing is committed."""
    event = Event.create(user_id=user_id, name="Ball")
    values = {"status": "sending", "name": "News", "subject": "To {{ event.name }}", "body": BODY} | fields
    campaign = Campaign.create(user_id=user_id, event_id=event.id, **values)
    for number in range(guests):
        email = f"guest{number}@example.com"
        guest = Guest.create(event_id=event.id, email=email, email_key=email, name=f"Guest {number}")
        Recipient.create(campaign_id=campaign.id, guest_id=guest.id, email=email, email_key=email)
    ask_to_send(campaign)
    return campaign.id


def ask_to_send(campaign: Campaign) -> None:
    deliver = ("campaigns.deliver", {"campaign_id": campaign.id})
    close = enqueue("campaigns.close", after=[deliver], target=campaign, campaign_id=campaign.id)
    job = session.scalars(select(Job).where(Job.batch_id == close.id)).one()
    job.target_type, job.target_id, campaign.job_id = close.target_type, close.target_id, job.id
    session.flush()


def campaign_of(campaign_id: int) -> Campaign:
    """As it is now, with nothing left open."""
    return _look(select(Campaign).where(Campaign.id == campaign_id))[0]


def job_of(campaign_id: int) -> Job:
    return _look(select(Job).join(Campaign, Campaign.job_id == Job.id).where(Campaign.id == campaign_id))[0]


def rows_of(campaign_id: int) -> list[Recipient]:
    return _look(select(Recipient).where(Recipient.campaign_id == campaign_id).order_by(Recipient.id))


def states_of(campaign_id: int) -> list[str]:
    return [row.state for row in rows_of(campaign_id)]


def due_now(campaign_id: int) -> None:
    """As if the time of waiting were over: of the job, and of what was refused for now."""
    for row in session.scalars(select(Recipient).where(Recipient.not_before.is_not(None))):
        row.not_before = now()
    session.get_one(Job, session.get_one(Campaign, campaign_id).job_id).run_at = now()
    session.commit()


def _look(query: Any) -> list[Any]:
    session.rollback()
    found = list(session.scalars(query.execution_options(populate_existing=True)))
    session.expunge_all()
    session.rollback()
    return found
