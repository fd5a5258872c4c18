"""Campaigns: written, launched, paused, resumed, cancelled. Who gets them is decided in `audiences.py`; what sends them
are the jobs `campaigns.deliver` and `campaigns.close`."""

from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.db import session
from app.errors import Conflict, JobNotCancelable, NotFound, ValidationFailed
from app.helpers import templates
from app.models import Campaign, Event, File, Guest, Job, Recipient, User
from app.models.campaign import UNDER_WAY
from app.queue import enqueue, hasten
from app.services import audiences, jobs, messages, recipients

LARGEST_ATTACHMENT = 10 << 20  # bytes: most mail servers refuse more, and each message carries them
NOBODY = "nobody"  # has the links of previews: who tries them answers for no guest, and unsubscribes none


def create(owner: User, fields: dict[str, Any]) -> Campaign:
    return Campaign.create(user_id=owner.id, **_values(owner, fields))


def change(owner: User, campaign: Campaign, fields: dict[str, Any]) -> Campaign:
    """What is as it was may be named at any time; Conflict if something else can't be changed any more."""
    values = _values(owner, fields)
    campaign.require_changeable({name for name, value in values.items() if value != getattr(campaign, name)})
    campaign.update(**values)
    return campaign


def delete(campaign: Campaign) -> None:
    campaign.require("delete")
    campaign.delete()


def check(campaign: Campaign) -> dict[str, Any]:
    """Who would get it if it were launched now, and who would not. Conflict as `launch`, but for want of recipients."""
    campaign.require("launch")
    _refuse(_wants(campaign))
    reach = audiences.reach(campaign)
    refused = [{"email": email, "reason": recipients.UNSUBSCRIBED} for email in audiences.unsubscribed(campaign)]
    return {"recipients": reach.recipients, "refused": refused, "refused_total": reach.unsubscribed}


def launch(campaign: Campaign, at: datetime | None = None) -> Job:
    """Notes who gets it, and begins to send it – at once, or `at` a moment. Conflict if something is missing.

    The caller has locked the campaign's row, as for every move.
    """
    campaign.require("launch")
    wants = _wants(campaign)
    if campaign.event_id is not None and audiences.is_empty(campaign):
        wants.append(("audience", "is empty: no guest of the event would get it"))
    _refuse(wants)
    campaign.launch(at)
    audiences.write_down(campaign)
    return _ask_to_send(campaign)


def pause(campaign: Campaign) -> Campaign:
    campaign.pause()
    return campaign


def resume(campaign: Campaign) -> Job:
    campaign.resume()
    return _go_on(campaign)


def cancel(campaign: Campaign) -> Campaign:
    """At once, but for the messages that are being handed over to the mail server."""
    campaign.cancel()
    recipients.skip_pending(campaign)
    job = Job.find(campaign.job_id) if campaign.job_id else None
    if job is not None:
        with suppress(JobNotCancelable):  # it is done: nothing was left to send
            jobs.cancel(job)
    return campaign


def retry(campaign: Campaign, states: list[str]) -> Job:
    """Sends the messages again that are in one of these states, failed or unknown."""
    campaign.retry()
    if not audiences.renew(campaign, states):
        raise Conflict(f"None of its messages is {' or '.join(states)}.")
    return _go_on(campaign)


def preview(campaign: Campaign, guest_id: int | None) -> dict[str, str]:
    """The message as this guest of the event would get it, or an invented one; with links that lead to nobody."""
    event = campaign.event or Event(name="Summer party", place="The old mill")
    reader = Guest(name="Ada Lovelace", email="ada@example.com", role="guest", link_key=NOBODY)
    if guest_id is not None:
        guest = _guest_of(campaign, guest_id)
        reader.name, reader.email, reader.role = guest.name, guest.email, guest.role
    mail = messages.message(campaign, event, reader, Recipient(email=reader.email, email_key=NOBODY))
    return {"subject": mail.subject, "body": mail.text}


def invite(event: Event) -> Job:
    """Sends the usual invitation to all guests who got none yet: a campaign like any other. The caller has locked the
    event's row, so that two requests at once do not invite everybody twice."""
    if event.has_started:
        raise Conflict("The event has begun: nobody can be invited to it any more.")
    text: dict[str, Any] = {"subject": messages.INVITATION_SUBJECT, "body": messages.INVITATION_BODY}
    inviting = select(Campaign.id).filter_by(event_id=event.id, **text).where(Campaign.status.in_(UNDER_WAY))
    campaign_id = session.scalars(inviting.limit(1)).first()
    if campaign_id is not None:
        raise Conflict(f"Campaign {campaign_id} is inviting guests of this event: let it end, or cancel it, first.")
    audience = {"status": ["added"]}
    return launch(
        Campaign.create(user_id=event.user_id, event_id=event.id, name="Invitations", audience=audience, **text)
    )


def _guest_of(campaign: Campaign, guest_id: int) -> Guest:
    guest = session.scalars(select(Guest).filter_by(id=guest_id, event_id=campaign.event_id)).one_or_none()
    if guest is None:
        detail = "there is no guest with this id at the campaign's event"
        raise ValidationFailed(errors=[{"detail": detail, "pointer": "#/guest_id"}])
    return guest


def _wants(campaign: Campaign) -> list[tuple[str, str]]:
    """What has to be put right before the launch: fields, and why."""
    wants = [(name, "is empty") for name in ("subject", "body") if not getattr(campaign, name).strip()]
    if not campaign.active:
        wants.append(("active", "is false"))
    if campaign.event_id is None:
        wants.append(("event_id", "is missing: whose guests get it?"))
    if campaign.attachment and not _has_file(campaign.user_id, campaign.attachment):
        wants.append(("attachment", "is missing: the file was deleted"))
    return wants


def _has_file(user_id: int, sha256: str) -> bool:
    return session.scalar(select(File.id).filter_by(user_id=user_id, sha256=sha256)) is not None


def _refuse(wants: list[tuple[str, str]]) -> None:
    if wants:
        told = "; ".join(f"{name} {why}" for name, why in wants)
        errors = [{"detail": why, "pointer": f"#/{name}"} for name, why in wants]
        raise Conflict(f"The campaign can't be launched: {told}.", errors=errors)


def _go_on(campaign: Campaign) -> Job:
    """The job that is there, woken up if it waits; or a new one, if it is done, or about to be, or was tried again by
    hand: then it has left its batch, and nobody would close the campaign after it."""
    job = Job.find(campaign.job_id) if campaign.job_id else None
    if job is None or job.is_done or job.status == "canceling":
        return _ask_to_send(campaign)
    if job.batch_id is None:
        jobs.cancel(job)
        return _ask_to_send(campaign)
    hasten(job.id)
    return job


def _ask_to_send(campaign: Campaign) -> Job:
    """The job that delivers it; another one, which waits for its end, well or not, closes it."""
    deliver = ("campaigns.deliver", {"campaign_id": campaign.id})
    close = enqueue("campaigns.close", after=[deliver], target=campaign, campaign_id=campaign.id)
    job = session.scalars(select(Job).where(Job.batch_id == close.id)).one()
    job.target_type, job.target_id = close.target_type, close.target_id
    campaign.job_id = job.id
    return job


def _values(owner: User, fields: dict[str, Any]) -> dict[str, Any]:
    """The columns for a body that fits the schema; ValidationFailed with everything else that is wrong with it."""
    texts = {name: fields[name] for name in ("subject", "body") if name in fields}
    faults: list[tuple[str, str]] = [(name, fault) for name, text in texts.items() for fault in templates.faults(text)]
    if fields.get("event_id") is not None and not _has_event(owner, fields["event_id"]):
        faults.append(("event_id", "there is no event with this id"))
    values = {name: value for name, value in fields.items() if name != "id"}  # which is in the path already
    if fields.get("attachment") is not None:
        file = _find_file(owner, fields["attachment"])
        if file is None:
            faults.append(("attachment", "there is no file with this hash"))
        elif file.size > LARGEST_ATTACHMENT:
            faults.append(("attachment", f"is larger than {LARGEST_ATTACHMENT} bytes"))
        else:
            values["attachment"] = file.sha256
    if faults:
        raise ValidationFailed(errors=[{"detail": why, "pointer": f"#/{name}"} for name, why in faults])
    return values


def _has_event(owner: User, event_id: int) -> bool:
    return session.scalar(select(Event.id).where(Event.id == event_id, Event.visible_to(owner))) is not None


def _find_file(owner: User, digest: str) -> File | None:
    try:
        return File.find_for(owner, digest)
    except NotFound:
        return None
