"""A campaign from its first request to its last mail, as people see it: by the API, a real worker, and the mails."""

from datetime import UTC, datetime, timedelta

import pytest
from campaigns import event_with, launched, new_campaign, show, unsubscribe
from sqlalchemy import delete, select, update

from app.db import session
from app.models import Campaign, Guest, Job
from app.models.base import now
from app.queue import enqueue

LATER = "2099-01-01T09:00:00Z"
LEASE = {"worker": "somebody", "started_at": now(), "lease_expires_at": now()}


def counts(person, campaign: dict) -> dict[str, int]:
    return {state: number for state, number in show(person, campaign)["counts"].items() if number}


def test_everybody_gets_one_message_and_the_campaign_is_done(alice, work, mails):
    campaign = launched(alice, 5)
    work()
    work()
    assert sorted(mail.partition("To: ")[2].partition("\n")[0].strip() for mail in mails()) == [
        f"Guest{number} <guest{number}@example.com>" for number in range(5)
    ]
    assert all("Subject: News of The party" in mail for mail in mails())
    seen = show(alice, campaign)
    assert (seen["status"], counts(alice, campaign)) == ("done", {"sent": 5})
    assert seen["started_at"] <= seen["finished_at"]
    job = alice.get(seen["links"]["job"]).json
    assert (job["status"], job["progress"]["completed"], job["progress"]["total"]) == ("succeeded", 5, 5)
    rows = alice.get(f"/api/v1/campaigns/{campaign['id']}/recipients?state=sent").json["items"]
    assert [row["attempts"] for row in rows] == [1] * 5
    assert alice.delete(f"/api/v1/campaigns/{campaign['id']}").status_code == 204


def test_paused_campaign_sends_nothing_until_it_is_resumed(alice, work, mails):
    campaign = launched(alice)
    alice.post(f"/api/v1/campaigns/{campaign['id']}/pause")
    work()
    assert (mails(), counts(alice, campaign)) == ([], {"pending": 3})
    resumed = alice.post(f"/api/v1/campaigns/{campaign['id']}/resume").json
    assert (resumed["id"], resumed["status"]) == (campaign["job_id"], "queued")
    work()
    assert (len(mails()), show(alice, campaign)["status"]) == (3, "done")


def test_scheduled_campaign_waits_for_its_time(alice, work, mails):
    campaign = new_campaign(alice, event_id=event_with(alice, 2))
    job = alice.post(f"/api/v1/campaigns/{campaign['id']}/launch", json={"at": LATER}).json
    work()
    seen = alice.get(f"/api/v1/jobs/{job['id']}").json
    assert (mails(), seen["status"], seen["next_attempt_at"]) == ([], "scheduled", LATER)
    moment = datetime.now(UTC) - timedelta(seconds=1)
    session.execute(update(Campaign).values(scheduled_at=moment))
    session.execute(update(Job).where(Job.id == job["id"]).values(run_at=moment))
    session.commit()
    work()
    assert (len(mails()), show(alice, campaign)["status"]) == (2, "done")


@pytest.mark.parametrize("by", ["campaign", "job"])
def test_cancelled_campaign_sends_no_more(alice, work, mails, by):
    campaign = launched(alice)
    path = f"/api/v1/campaigns/{campaign['id']}" if by == "campaign" else f"/api/v1/jobs/{campaign['job_id']}"
    assert alice.post(f"{path}/cancel").status_code == 200
    work()
    work()
    assert (mails(), counts(alice, campaign)) == ([], {"skipped": 3})
    assert show(alice, campaign)["status"] == "cancelled"


def test_invited_guests_can_answer_and_are_not_invited_again(alice, work, mails):
    event_id = event_with(alice, 2)
    unsubscribe(alice, "guest1@example.com")
    alice.post(f"/api/v1/events/{event_id}/guests/invite")
    work()
    work()
    (mail,) = mails()
    assert "Subject: Invitation: The party" in mail
    statuses = list(session.scalars(select(Guest.status).order_by(Guest.id)))
    assert statuses == ["invited", "added"]
    assert alice.post(f"/api/v1/events/{event_id}/guests/invite").status_code == 409  # who is left unsubscribed


def test_resuming_what_is_done_sends_nothing_twice(alice, work, mails):
    campaign = launched(alice, 1)
    work()
    work()
    session.execute(update(Campaign).values(status="paused"))
    session.commit()
    resumed = alice.post(f"/api/v1/campaigns/{campaign['id']}/resume").json
    assert resumed["id"] != campaign["job_id"]
    work()
    work()
    assert (len(mails()), show(alice, campaign)["status"]) == (1, "done")


def sweep(work) -> int:
    """How many campaigns it closed."""
    job_id = enqueue("campaigns.sweep").id
    session.commit()
    work()
    return session.get_one(Job, job_id, populate_existing=True).result["closed"]


def test_campaign_whose_closing_job_was_canceled_with_its_batch_is_cancelled(alice, work, mails):
    campaign = launched(alice)
    [closing] = alice.get("/api/v1/jobs?type=campaigns.close").json["items"]
    assert alice.post(f"/api/v1/jobs/{closing['id']}/cancel").json["status"] == "canceled"
    assert show(alice, campaign)["status"] == "sending"
    assert sweep(work) == 1
    assert (show(alice, campaign)["status"], counts(alice, campaign), mails()) == ("cancelled", {"skipped": 3}, [])
    assert sweep(work) == 0


def test_campaign_whose_job_failed_after_a_retry_by_hand_is_paused_and_goes_on(alice, work, mails):
    campaign = launched(alice)
    failed = {"status": "failed", "finished_at": now(), "error": {"detail": "The mail server was away."}}
    session.execute(update(Job).where(Job.id == campaign["job_id"]).values(status="running", attempt=1, **LEASE))
    session.execute(
        update(Job).where(Job.id == campaign["job_id"]).values(batch_id=None, lease_expires_at=None, **failed)
    )
    session.commit()
    assert sweep(work) == 1
    seen = show(alice, campaign)
    assert (seen["status"], seen["fault"]) == ("paused", "The mail server was away.")
    alice.post(f"/api/v1/campaigns/{campaign['id']}/resume")
    work()
    assert (len(mails()), show(alice, campaign)["status"]) == (3, "done")


def test_campaign_whose_job_is_gone_is_paused(alice, work):
    campaign = launched(alice)
    session.execute(delete(Job).where(Job.id == campaign["job_id"]))
    session.commit()
    assert sweep(work) == 1
    assert (show(alice, campaign)["status"], "Resume" in show(alice, campaign)["fault"]) == ("paused", True)


def test_campaign_that_somebody_sends_or_will_close_is_left_alone(alice, work, mails):
    campaign = launched(alice)
    session.execute(update(Job).where(Job.id == campaign["job_id"]).values(run_at=now() + timedelta(hours=1)))
    session.commit()
    assert (sweep(work), show(alice, campaign)["status"], mails()) == (0, "sending", [])
