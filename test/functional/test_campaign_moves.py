"""What is done to a campaign: launch, pause, resume, cancel, retry. What its job does is tested elsewhere."""

from datetime import UTC, datetime, timedelta

import pytest
from campaigns import add_guests, event_with, launched, new_campaign, show, unsubscribe
from events import send_at_once
from sqlalchemy import func, select, update

from app.db import session
from app.models import Campaign, Job, Recipient
from app.models.job import NEVER

LATER = "2099-01-01T09:00:00Z"
MOVES = ("launch", "pause", "resume", "cancel", "retry")
ALLOWED = {
    "draft": ["launch"],
    "scheduled": ["pause", "cancel"],
    "sending": ["pause", "cancel"],
    "paused": ["resume", "cancel", "retry"],
    "done": ["retry"],
    "cancelled": ["retry"],
}


def move(person, campaign: dict, verb: str, **body):
    body = {"states": ["failed", "unknown"]} | body if verb == "retry" else body
    return person.post(f"/api/v1/campaigns/{campaign['id']}/{verb}", json=body)


def recipients(campaign: dict) -> list[tuple[str, str, str | None]]:
    columns = select(Recipient.email, Recipient.state, Recipient.error).filter_by(campaign_id=campaign["id"])
    found = [tuple(row) for row in session.execute(columns.order_by(Recipient.id))]
    session.rollback()
    return found


def put(model: type, row_id: int | str, **values) -> None:
    session.execute(update(model).where(model.id == row_id).values(**values))
    session.commit()


def put_states(campaign: dict, *states: str) -> None:
    """Gives the campaign's messages these states, in order."""
    ids = session.scalars(select(Recipient.id).filter_by(campaign_id=campaign["id"]).order_by(Recipient.id)).all()
    for recipient_id, state in zip(ids, states, strict=True):
        put(Recipient, recipient_id, state=state, attempts=5, error="x", not_before=NEVER)


def end_jobs() -> None:
    """As if all jobs had ended; one move after the other, as the database wants it."""
    moment = datetime.now(UTC)
    held = {"status": "running", "attempt": Job.attempt + 1, "lease_expires_at": moment}
    session.execute(update(Job).where(Job.status == "scheduled").values(status="queued"))
    session.execute(update(Job).where(Job.status == "queued").values(**held))
    ended = {"status": "succeeded", "finished_at": moment, "lease_expires_at": None}
    session.execute(update(Job).where(Job.status == "running").values(**ended))
    session.commit()


def test_launch_is_accepted_with_the_job_that_delivers(alice):
    campaign = new_campaign(alice, event_id=event_with(alice, 2))
    answer = move(alice, campaign, "launch")
    assert answer.status_code == 202
    job = answer.json
    assert (job["type"], job["status"], job["done"]) == ("campaigns.deliver", "queued", False)
    assert job["target"] == {"type": "campaign", "id": campaign["id"], "href": f"/api/v1/campaigns/{campaign['id']}"}
    assert answer.headers["Location"] == job["links"]["self"] == show(alice, campaign)["links"]["job"]
    seen = show(alice, campaign)
    assert (seen["status"], seen["job_id"], seen["scheduled_at"]) == ("sending", job["id"], None)
    assert (seen["counts"]["pending"], sum(seen["counts"].values())) == (2, 2)
    close = session.scalars(select(Job).filter_by(type="campaigns.close")).one()
    assert (close.status, close.args, close.target_id) == ("scheduled", {"campaign_id": campaign["id"]}, campaign["id"])
    listed = alice.get(f"/api/v1/jobs?target=campaign:{campaign['id']}").json["items"]
    assert {job["type"] for job in listed} == {"campaigns.deliver", "campaigns.close"}


def test_launch_at_a_moment(alice):
    campaign = new_campaign(alice, event_id=event_with(alice, 1))
    assert move(alice, campaign, "launch", at="2099-01-01T10:00:00+01:00").status_code == 202
    seen = show(alice, campaign)
    assert (seen["status"], seen["scheduled_at"]) == ("scheduled", LATER)


def test_launch_needs_no_body_but_takes_no_other(alice):
    campaign = new_campaign(alice, event_id=event_with(alice, 1))
    path = f"/api/v1/campaigns/{campaign['id']}/launch"
    assert alice.post(path, data="at=1").status_code == 415
    assert alice.post(path, data="{", content_type="application/json").status_code == 400
    assert show(alice, campaign) == campaign
    assert alice.post(path).status_code == 202


@pytest.mark.parametrize("body", [{"at": "soon"}, {"at": "2099-01-01"}, {"validate_only": 1}, {"when": LATER}, []])
def test_bad_launch_is_refused(alice, body):
    campaign = new_campaign(alice, event_id=event_with(alice, 1))
    answer = alice.post(f"/api/v1/campaigns/{campaign['id']}/launch", json=body)
    assert answer.status_code == 422
    assert show(alice, campaign) == campaign


def test_launch_tells_everything_that_is_missing_at_once(alice):
    campaign = new_campaign(alice, subject=" ", body="", active=False)
    for options in ({}, {"validate_only": True}):
        answer = move(alice, campaign, "launch", **options)
        assert answer.status_code == 409
        assert [error["pointer"] for error in answer.json["errors"]] == [
            "#/subject",
            "#/body",
            "#/active",
            "#/event_id",
        ]
        assert answer.json["detail"].startswith("The campaign can't be launched: subject is empty; body is empty;")
    assert show(alice, campaign) == campaign


def test_launch_needs_its_attachment(alice):
    file = alice.post("/api/v1/files", data=b"\0x").json
    campaign = new_campaign(alice, event_id=event_with(alice, 1), attachment=file["sha256"])
    alice.delete(f"/api/v1/files/{file['sha256']}")
    answer = move(alice, campaign, "launch")
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (409, "#/attachment")


@pytest.mark.parametrize("audience", [{}, {"status": ["accepted"]}, {"role": ["crew"]}])
def test_launch_to_nobody_is_refused(alice, audience):
    event_id = event_with(alice, 1 if audience else 0)
    campaign = new_campaign(alice, event_id=event_id, audience=audience)
    answer = move(alice, campaign, "launch")
    assert answer.status_code == 409
    assert answer.json["errors"] == [
        {"detail": "is empty: no guest of the event would get it", "pointer": "#/audience"}
    ]
    assert move(alice, campaign, "launch", validate_only=True).json["recipients"] == 0
    assert show(alice, campaign) == campaign
    assert session.scalar(select(func.count()).select_from(Job)) == 0


def test_launch_after_the_event_is_possible(alice):
    event_id = event_with(alice, 1, starts_at=datetime.now(UTC) - timedelta(days=1))
    assert move(alice, new_campaign(alice, event_id=event_id), "launch").status_code == 202


def test_audience_is_who_fits_status_and_role(alice):
    event_id = event_with(alice)
    add_guests(event_id, "a@example.com", "b@example.com")  # guest, vip
    add_guests(event_id, "c@example.com", "d@example.com", status="accepted")
    add_guests(event_id, "e@example.com", status="declined", role="vip")
    add_guests(event_with(alice), "f@example.com", status="accepted", role="vip")
    campaign = new_campaign(alice, event_id=event_id, audience={"status": ["accepted", "declined"], "role": ["vip"]})
    assert move(alice, campaign, "launch").status_code == 202
    assert recipients(campaign) == [("d@example.com", "pending", None), ("e@example.com", "pending", None)]


def test_who_unsubscribed_is_skipped(alice, bob):
    event_id = event_with(alice)
    add_guests(event_id, "Ann@Example.com", "ben@example.com", "cid@example.com")
    unsubscribe(alice, "ann@example.com", "CID@example.com", "dan@example.com")
    unsubscribe(bob, "ben@example.com")
    campaign = new_campaign(alice, event_id=event_id)
    seen = move(alice, campaign, "launch", validate_only=True)
    assert seen.status_code == 200
    refused = [{"email": email, "reason": "unsubscribed"} for email in ("Ann@Example.com", "cid@example.com")]
    assert seen.json == {"recipients": 1, "refused": refused, "refused_total": 2}
    assert show(alice, campaign) == campaign
    assert move(alice, campaign, "launch").status_code == 202
    assert recipients(campaign) == [
        ("Ann@Example.com", "skipped", "unsubscribed"),
        ("ben@example.com", "pending", None),
        ("cid@example.com", "skipped", "unsubscribed"),
    ]


def test_a_hundred_refusals_are_told_and_all_counted(alice):
    event_id = event_with(alice, 102)
    unsubscribe(alice, *(f"guest{number}@example.com" for number in range(101)))
    seen = move(alice, new_campaign(alice, event_id=event_id), "launch", validate_only=True).json
    assert (seen["recipients"], seen["refused_total"], len(seen["refused"])) == (1, 101, 100)


def test_guests_added_after_the_launch_are_not_among_them(alice):
    campaign = launched(alice, 1)
    add_guests(campaign["event_id"], "late@example.com")
    assert [email for email, *_ in recipients(campaign)] == ["guest0@example.com"]


@pytest.mark.parametrize("status", ALLOWED)
def test_every_other_move_is_refused_and_says_the_state(alice, status):
    campaign = launched(alice)
    put(Campaign, campaign["id"], status=status)
    before = show(alice, campaign)
    for verb in set(MOVES) - set(ALLOWED[status]):
        answer = move(alice, campaign, verb)
        assert answer.status_code == 409, verb
        assert answer.json["detail"].endswith(f"this one is {status}.")
    assert show(alice, campaign) == before


def test_two_launches_at_once_are_one(app, alice):
    campaign = new_campaign(alice, event_id=event_with(alice, 5))
    request = ("POST", f"/api/v1/campaigns/{campaign['id']}/launch", {})
    assert send_at_once(app, alice, *[request] * 4) == [202, 409, 409, 409]
    assert len(recipients(campaign)) == 5


def test_repeated_launch_with_its_key_gets_the_first_answer(alice):
    campaign = new_campaign(alice, event_id=event_with(alice, 1))
    path, options = f"/api/v1/campaigns/{campaign['id']}/launch", {"json": {}, "headers": {"Idempotency-Key": "one"}}
    first, second = alice.post(path, **options), alice.post(path, **options)
    assert (first.status_code, second.status_code, second.headers["Idempotency-Replayed"]) == (202, 202, "true")
    assert first.json["id"] == second.json["id"]


def test_pause_and_resume_keep_the_job(alice):
    campaign = launched(alice)
    paused = move(alice, campaign, "pause")
    assert (paused.status_code, paused.json["status"], paused.json["counts"]["pending"]) == (200, "paused", 3)
    resumed = move(alice, campaign, "resume")
    assert (resumed.status_code, resumed.json["id"]) == (202, campaign["job_id"])
    assert show(alice, campaign)["status"] == "sending"


def test_resume_wakes_a_job_that_waits(alice):
    campaign = launched(alice)
    put(Job, campaign["job_id"], status="running", attempt=1, lease_expires_at=NEVER)
    put(Job, campaign["job_id"], status="scheduled", run_at=NEVER, lease_expires_at=None)
    move(alice, campaign, "pause")
    resumed = move(alice, campaign, "resume").json
    assert (resumed["id"], resumed["status"]) == (campaign["job_id"], "queued")


def test_resume_after_the_job_ended_makes_a_new_one(alice):
    campaign = launched(alice)
    end_jobs()
    put(Campaign, campaign["id"], status="paused", fault="the mail server is away")
    resumed = move(alice, campaign, "resume").json
    seen = show(alice, campaign)
    assert resumed["id"] == seen["job_id"] != campaign["job_id"]
    assert (seen["status"], seen["fault"], resumed["status"]) == ("sending", None, "queued")


def test_resume_before_its_time_waits_for_it(alice):
    campaign = new_campaign(alice, event_id=event_with(alice, 1))
    move(alice, campaign, "launch", at=LATER)
    move(alice, campaign, "pause")
    move(alice, campaign, "resume")
    assert show(alice, campaign)["status"] == "scheduled"


def test_cancel_skips_who_has_not_got_it(alice):
    campaign = launched(alice, 4)
    put_states(campaign, "sent", "sending", "failed", "pending")
    answer = move(alice, campaign, "cancel")
    assert answer.status_code == 200
    assert (answer.json["status"], answer.json["counts"]["skipped"]) == ("cancelled", 1)
    assert answer.json["finished_at"] is not None
    assert [state for _, state, _ in recipients(campaign)] == ["sent", "sending", "failed", "skipped"]
    assert recipients(campaign)[3][2] == "the campaign was cancelled"
    assert alice.get(f"/api/v1/jobs/{campaign['job_id']}").json["status"] == "canceled"


def test_cancel_stops_a_running_job_at_its_next_checkpoint(alice):
    campaign = launched(alice)
    put(Job, campaign["job_id"], status="running", attempt=1, lease_expires_at=NEVER)
    assert move(alice, campaign, "cancel").status_code == 200
    assert alice.get(f"/api/v1/jobs/{campaign['job_id']}").json["status"] == "canceling"


def test_cancel_after_the_job_ended_is_no_error(alice):
    campaign = launched(alice)
    end_jobs()
    assert move(alice, campaign, "cancel").json["status"] == "cancelled"


def test_retry_sends_again_what_is_named(alice):
    campaign = launched(alice, 4)
    put_states(campaign, "sent", "failed", "unknown", "skipped")
    end_jobs()
    put(Campaign, campaign["id"], status="done", finished_at=datetime.now(UTC))
    answer = move(alice, campaign, "retry", states=["failed", "failed"])
    assert answer.status_code == 202
    assert [state for _, state, _ in recipients(campaign)] == ["sent", "pending", "unknown", "skipped"]
    row = session.scalars(select(Recipient).filter_by(campaign_id=campaign["id"], state="pending")).one()
    assert (row.attempts, row.error, row.not_before) == (0, None, None)
    seen = show(alice, campaign)
    assert (seen["status"], seen["finished_at"], seen["job_id"]) == ("sending", None, answer.json["id"])
    assert answer.json["id"] != campaign["job_id"]


def test_retry_of_nothing_is_refused(alice):
    campaign = launched(alice)
    put(Campaign, campaign["id"], status="done")
    answer = move(alice, campaign, "retry")
    assert (answer.status_code, answer.json["detail"]) == (409, "None of its messages is failed or unknown.")
    assert show(alice, campaign)["status"] == "done"


@pytest.mark.parametrize("body", [{}, {"states": []}, {"states": ["sent"]}, {"states": "failed"}])
def test_bad_retry_is_refused(alice, body):
    campaign = launched(alice)
    put(Campaign, campaign["id"], status="done")
    assert alice.post(f"/api/v1/campaigns/{campaign['id']}/retry", json=body).status_code == 422


def test_retry_while_the_old_job_is_being_cancelled_makes_a_new_one(alice):
    campaign = launched(alice)
    put_states(campaign, "failed", "sent", "sent")
    put(Job, campaign["job_id"], status="running", attempt=1, lease_expires_at=NEVER)
    move(alice, campaign, "cancel")
    answer = move(alice, campaign, "retry")
    assert (answer.status_code, answer.json["status"]) == (202, "queued")
    assert answer.json["id"] != campaign["job_id"]


def test_scopes_of_named_tokens(alice, client):
    campaign = new_campaign(alice)
    made = alice.post("/api/v1/user/tokens", json={"name": "x", "scopes": ["campaigns:read"]}).json
    headers, path = {"Authorization": made["token"]}, f"/api/v1/campaigns/{campaign['id']}"
    assert client.get(path, headers=headers).status_code == 200
    assert client.post(f"{path}/preview", json={}, headers=headers).status_code == 200
    for verb in MOVES:
        answer = client.post(f"{path}/{verb}", json={}, headers=headers)
        assert (answer.status_code, answer.json["required_scope"]) == (403, "campaigns:write")
