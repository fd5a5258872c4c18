"""What is decided about campaigns: what is missing, which job goes on, who is asked to do what."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from app.errors import Conflict, JobNotCancelable, NotFound, ValidationFailed
from app.models import Campaign, Event, File, Guest, Job
from app.models.base import now
from app.services import campaigns
from app.services.audiences import Reach

ALICE = SimpleNamespace(id=7)
DRAFT = {"id": 3, "user_id": 7, "event_id": 5, "subject": "News", "body": "Hello", "active": True, "status": "draft"}


def made(**fields) -> Campaign:
    return Campaign(**DRAFT | fields)


@pytest.fixture
def world(monkeypatch) -> SimpleNamespace:
    """Everything that the service asks or tells: `audiences`, the session, the queue, other services."""
    found = SimpleNamespace(
        audiences=Mock(),
        recipients=Mock(UNSUBSCRIBED="unsubscribed"),
        session=Mock(),
        enqueue=Mock(),
        hasten=Mock(),
        jobs=Mock(),
    )
    found.audiences.is_empty.return_value = False
    found.enqueue.return_value = Job(id="close", target_type="campaign", target_id=3)
    found.session.scalars.return_value.one.return_value = Job(id="deliver", status="queued")
    for name, mock in vars(found).items():
        monkeypatch.setattr(campaigns, name, mock)
    return found


@pytest.fixture
def job(monkeypatch) -> Mock:
    """The job that a campaign remembers."""
    mock = Mock(return_value=None)
    monkeypatch.setattr(Job, "find", mock)
    return mock


def test_launch_notes_the_audience_and_asks_for_both_jobs(world):
    campaign = made()
    job = campaigns.launch(campaign)
    assert (campaign.status, campaign.job_id) == ("sending", "deliver")
    assert (job.id, job.target_type, job.target_id) == ("deliver", "campaign", 3)
    world.audiences.write_down.assert_called_once_with(campaign)
    after = [("campaigns.deliver", {"campaign_id": 3})]
    world.enqueue.assert_called_once_with("campaigns.close", after=after, target=campaign, campaign_id=3)


def test_launch_at_a_moment_is_scheduled(world):
    campaign, moment = made(), datetime(2099, 1, 1, tzinfo=UTC)
    campaigns.launch(campaign, moment)
    assert (campaign.status, campaign.scheduled_at) == ("scheduled", moment)


@pytest.mark.parametrize(
    ("fields", "pointers"),
    [
        ({"subject": " "}, ["#/subject"]),
        ({"body": "\n", "active": False}, ["#/body", "#/active"]),
        ({"event_id": None, "subject": ""}, ["#/subject", "#/event_id"]),
        ({"attachment": "a" * 64}, ["#/attachment"]),
    ],
)
def test_launch_tells_what_is_missing_and_does_nothing(world, fields, pointers):
    world.session.scalar.return_value = None
    for act in (campaigns.launch, campaigns.check):
        campaign = made(**fields)
        with pytest.raises(Conflict) as refusal:
            act(campaign)
        assert [error["pointer"] for error in refusal.value.extras["errors"]] == pointers
        assert campaign.status == "draft"
    world.audiences.write_down.assert_not_called()
    world.enqueue.assert_not_called()


def test_nobody_to_send_to_refuses_the_launch_but_not_the_check(world):
    world.audiences.is_empty.return_value = True
    world.audiences.reach.return_value = Reach(0, 4)
    world.audiences.unsubscribed.return_value = ["a@example.com"]
    with pytest.raises(Conflict, match="audience is empty"):
        campaigns.launch(made())
    refused = [{"email": "a@example.com", "reason": "unsubscribed"}]
    assert campaigns.check(made()) == {"recipients": 0, "refused": refused, "refused_total": 4}
    world.audiences.write_down.assert_not_called()


@pytest.mark.parametrize("act", [campaigns.launch, campaigns.check])
def test_only_a_draft_is_launched(world, act):
    with pytest.raises(Conflict, match="this one is done"):
        act(made(status="done"))


@pytest.mark.parametrize("status", ["scheduled", "queued", "running", "retrying"])
def test_resume_goes_on_with_the_job_that_is_there(world, job, status):
    job.return_value = Job(id="old", status=status, batch_id="close")
    assert campaigns.resume(made(status="paused", job_id="old")) is job.return_value
    world.hasten.assert_called_once_with("old")
    world.enqueue.assert_not_called()


@pytest.mark.parametrize("status", [None, "succeeded", "failed", "canceled", "canceling"])
def test_resume_asks_for_a_job_where_none_will_go_on(world, job, status):
    job.return_value = Job(id="old", status=status) if status else None
    campaign = made(status="paused", job_id="old")
    assert campaigns.resume(campaign).id == campaign.job_id == "deliver"
    world.hasten.assert_not_called()


def test_job_that_was_tried_again_is_replaced_since_nothing_waits_for_its_end(world, job):
    job.return_value = old = Job(id="old", status="scheduled", batch_id=None)
    assert campaigns.resume(made(status="paused", job_id="old")).id == "deliver"
    world.jobs.cancel.assert_called_once_with(old)


def test_pause_changes_the_state_and_nothing_else(world):
    assert campaigns.pause(made(status="sending")).status == "paused"
    world.jobs.cancel.assert_not_called()


def test_cancel_skips_the_rest_and_cancels_the_job(world, job):
    campaign = campaigns.cancel(made(status="sending", job_id="old"))
    assert campaign.status == "cancelled"
    world.recipients.skip_pending.assert_called_once_with(campaign)
    world.jobs.cancel.assert_not_called()  # it was forgotten
    job.return_value = Job(id="old")
    world.jobs.cancel.side_effect = JobNotCancelable
    assert campaigns.cancel(made(status="paused", job_id="old")).status == "cancelled"
    world.jobs.cancel.assert_called_once_with(job.return_value)


def test_retry_renews_what_is_named(world, job):
    world.audiences.renew.return_value = 2
    campaign = made(status="done", finished_at=now())
    assert campaigns.retry(campaign, ["unknown"]).id == "deliver"
    world.audiences.renew.assert_called_once_with(campaign, ["unknown"])
    assert (campaign.status, campaign.finished_at) == ("sending", None)


def test_retry_of_nothing_is_refused(world):
    world.audiences.renew.return_value = 0
    with pytest.raises(Conflict, match="None of its messages is failed or unknown"):
        campaigns.retry(made(status="paused"), ["failed", "unknown"])
    world.enqueue.assert_not_called()


@pytest.mark.parametrize("status", ["scheduled", "sending", "paused"])
def test_campaign_under_way_is_not_deleted(status, monkeypatch):
    monkeypatch.setattr(Campaign, "delete", Mock(side_effect=AssertionError))
    with pytest.raises(Conflict):
        campaigns.delete(made(status=status))


@pytest.fixture
def saved(monkeypatch) -> None:
    """To save a row writes it nowhere."""
    monkeypatch.setattr(Campaign, "save", lambda self, **_options: self)


@pytest.fixture
def created(monkeypatch) -> Mock:
    """A new row, with what the database would fill in."""
    mock = Mock(side_effect=lambda **values: made(**{"subject": "", "body": "", "event_id": None} | values))
    monkeypatch.setattr(Campaign, "create", mock)
    return mock


def test_change_of_what_is_closed_is_refused_before_anything_is_changed(world, saved):
    campaign = made(status="sending", name="x")
    with pytest.raises(Conflict):
        campaigns.change(ALICE, campaign, {"name": "y", "body": "Other"})
    assert campaign.name == "x"
    assert campaigns.change(ALICE, campaign, {"name": "y", "body": "Hello", "id": 99}).name == "y"
    assert campaign.id == 3


def test_all_faults_of_the_fields_are_told(world):
    world.session.scalar.return_value = None
    with pytest.raises(ValidationFailed) as refusal:
        campaigns.create(ALICE, {"subject": "{{ x }}", "body": "{{", "event_id": 5})
    pointers = [error["pointer"] for error in refusal.value.extras["errors"]]
    assert pointers == ["#/subject", "#/body", "#/event_id"]


@pytest.mark.parametrize(
    ("file", "fault"),
    [
        (File(sha256="a" * 64, size=10 << 20), None),
        (File(sha256="a" * 64, size=(10 << 20) + 1), "is larger than 10485760 bytes"),
        (None, "there is no file with this hash"),
    ],
)
def test_attachment_is_kept_by_its_sha256(world, saved, monkeypatch, file, fault):
    monkeypatch.setattr(File, "find_for", Mock(return_value=file, side_effect=None if file else NotFound))
    campaign = made()
    with pytest.raises(ValidationFailed) if fault else nullcontext() as refusal:
        assert campaigns.change(ALICE, campaign, {"attachment": "b" * 32}).attachment == "a" * 64
    assert not fault or refusal.value.extras["errors"] == [{"detail": fault, "pointer": "#/attachment"}]


def test_preview_takes_the_guests_words_and_nobodys_links(settings, world):
    guest = Guest(name="Grace", email="grace@example.com", role="vip", link_key="secret")
    world.session.scalars.return_value.one_or_none.return_value = guest
    campaign = made(body="{{ guest.name }} {{ guest.role }} {{ guest.link }}", event=Event(name="x"))
    seen = campaigns.preview(campaign, 4)["body"]
    assert seen.startswith("Grace vip http")
    assert seen != campaigns.messages.message(campaign, campaign.event, guest, Mock(email="", email_key="x")).text


def test_preview_for_who_is_no_guest_is_refused(world):
    world.session.scalars.return_value.one_or_none.return_value = None
    with pytest.raises(ValidationFailed):
        campaigns.preview(made(event=Event(name="x")), 4)


def test_invitation_is_a_campaign(world, created):
    world.session.scalars.return_value.first.return_value = None
    assert campaigns.invite(Event(id=5, user_id=7)).id == "deliver"
    (campaign,) = world.audiences.write_down.call_args.args
    assert (campaign.name, campaign.user_id, campaign.event_id) == ("Invitations", 7, 5)
    assert (campaign.audience, campaign.status) == ({"status": ["added"]}, "sending")


def test_invitation_waits_for_the_one_before_and_ends_with_the_event(world):
    world.session.scalars.return_value.first.return_value = 12
    with pytest.raises(Conflict, match="Campaign 12 is inviting guests"):
        campaigns.invite(Event(id=5, user_id=7))
    with pytest.raises(Conflict, match="The event has begun"):
        campaigns.invite(Event(id=5, user_id=7, starts_at=now() - timedelta(seconds=1)))
