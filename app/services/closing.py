"""What is left to do for a campaign when the job that sends it has ended, well or not."""

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import aliased

from app.db import session
from app.models import Campaign, Job
from app.models.job import DONE
from app.services import recipients

HAVE_A_JOB = ("scheduled", "sending")  # campaigns that are to be sent; one that is paused waits for people
LOST = "The job that sent it is not there any more. Resume the campaign to send the rest."


def close(campaign_id: int, job_id: str | None) -> None:
    """The job that sent the campaign has ended; this one, `job_id`, waited for it."""
    campaign = recipients.lock(campaign_id)
    if campaign is None:
        return
    job = session.scalars(select(Job).where(Job.batch_id == job_id, Job.id == campaign.job_id)).one_or_none()
    if job is not None:  # else that job is tried again, or another one sends the campaign by now
        _settle(campaign, job)


def left_over() -> list[int]:
    """The ids of campaigns that nobody sends and nobody will close: the job that was to do so was canceled, or the one
    that sends was tried again by hand, and failed again."""
    query = select(Campaign.id).outerjoin(Job, Job.id == Campaign.job_id)
    return list(session.scalars(query.where(Campaign.status.in_(HAVE_A_JOB), _nobody_has_it())))


def close_left_over(campaign_id: int) -> bool:
    """False if somebody has taken it up again."""
    campaign = recipients.lock(campaign_id)
    if campaign is None or campaign.status not in HAVE_A_JOB:
        return False
    job = session.get(Job, campaign.job_id, populate_existing=True) if campaign.job_id else None
    if job is not None and not job.is_done:
        return False
    _settle(campaign, job)
    return True


def _nobody_has_it() -> ColumnElement[bool]:
    closing = aliased(Job)
    is_to_be_closed = exists().where(closing.id == Job.batch_id, closing.status.not_in(DONE))
    return or_(Job.id.is_(None), and_(Job.status.in_(DONE), ~is_to_be_closed))


def _settle(campaign: Campaign, job: Job | None) -> None:
    if campaign.is_under_way and job is not None and job.status == "canceled":
        campaign.cancel()
        recipients.skip_pending(campaign)
    recipients.resolve(campaign)
    if not campaign.is_under_way:
        return
    if not recipients.count(campaign)["pending"]:
        campaign.finish()
    elif job is None:
        campaign.halt(LOST)
    elif job.status == "failed":
        campaign.halt(str((job.error or {}).get("detail")))
