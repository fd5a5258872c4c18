"""Campaigns from the request to the mail server: what people ask for, and what their guests get."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from campaigns import launched, new_campaign, show
from post_office import PostOffice

from app.db import session


@pytest.fixture
def office() -> Iterator[PostOffice]:
    with PostOffice() as running:
        yield running


@pytest.fixture
def settings(settings, office: PostOffice):
    """One connection: the messages go out one after the other, so that a test can step in between."""
    return replace(settings, smtp_url=office.url, smtp_connections=1)


@pytest.fixture
def work(work) -> Callable[[], None]:
    """Twice: the job that closes a campaign is due when the one that sends it has ended."""

    def work_off() -> None:
        for _ in range(2):
            work()
        session.rollback()

    return work_off


@pytest.fixture
def meanwhile(office) -> Callable[[Callable[[], None]], None]:
    """Done while the first message waits for the mail server's answer, in its thread."""

    def note(act: Callable[[], None]) -> None:
        def step_in() -> None:
            try:
                act()
            finally:
                session.remove()

        office.script["end"] = [step_in]

    return note


def counts_of(person, campaign) -> dict[str, int]:
    return {state: number for state, number in show(person, campaign)["counts"].items() if number}


def move(person, campaign, verb: str, **body) -> None:
    answer = person.post(f"/api/v1/campaigns/{campaign['id']}/{verb}", json=body)
    assert answer.status_code in (200, 202), answer.text


def test_launched_campaign_is_sent_and_done(alice, work, office):
    campaign = launched(alice, 3, subject="To {{ guest.name }}")
    work()
    assert [taken.message["Subject"] for taken in office.taken] == ["To Guest0", "To Guest1", "To Guest2"]
    found = show(alice, campaign)
    assert (found["status"], counts_of(alice, campaign)) == ("done", {"sent": 3})
    job = alice.get(f"/api/v1/jobs/{found['job_id']}").json
    assert (job["status"], job["progress"]["completed"], job["result"]) == ("succeeded", 3, {"sent": 3})


def test_paused_campaign_goes_on_when_it_is_resumed(alice, work, office, meanwhile):
    campaign = launched(alice, 3)
    meanwhile(lambda: move(alice, campaign, "pause"))
    work()
    assert (show(alice, campaign)["status"], counts_of(alice, campaign)) == ("paused", {"sent": 1, "pending": 2})
    work()
    assert len(office.taken) == 1
    move(alice, campaign, "resume")
    work()
    assert (show(alice, campaign)["status"], counts_of(alice, campaign)) == ("done", {"sent": 3})
    assert len(set(office.to())) == len(office.to()) == 3


def test_campaign_that_is_resumed_before_its_job_saw_the_pause_goes_on(alice, work, office, meanwhile):
    campaign = launched(alice, 2)

    def think_again() -> None:
        move(alice, campaign, "pause")
        move(alice, campaign, "resume")

    meanwhile(think_again)
    work()
    assert (show(alice, campaign)["status"], len(office.taken)) == ("done", 2)


def test_cancelled_campaign_ends_at_the_next_message_and_may_be_sent_after_all(alice, work, office, meanwhile):
    campaign = launched(alice, 3)
    meanwhile(lambda: move(alice, campaign, "cancel"))
    work()
    assert (show(alice, campaign)["status"], counts_of(alice, campaign)) == ("cancelled", {"sent": 1, "skipped": 2})
    assert len(office.taken) == 1


def test_canceled_job_cancels_the_campaign(alice, work, office, meanwhile):
    campaign = launched(alice, 2)
    meanwhile(lambda: alice.post(f"/api/v1/jobs/{campaign['job_id']}/cancel"))
    work()
    assert (show(alice, campaign)["status"], counts_of(alice, campaign)) == ("cancelled", {"sent": 1, "skipped": 1})


def test_retry_sends_what_was_given_up(alice, work, office):
    office.script["RCPT guest0@example.com"] = ["550 not yet"]
    office.script["end guest1@example.com"] = ["drop"]
    campaign = launched(alice, 3)
    work()
    assert counts_of(alice, campaign) == {"failed": 1, "unknown": 1, "sent": 1}
    move(alice, campaign, "retry", states=["failed", "unknown"])
    work()
    assert (show(alice, campaign)["status"], counts_of(alice, campaign)) == ("done", {"sent": 3})


def test_campaign_with_a_fault_goes_on_once_it_is_mended(alice, work, office):
    sha256 = alice.post("/api/v1/files", query_string={"name": "plan.txt"}, data=b"the plan").json["sha256"]
    campaign = launched(alice, 2, attachment=sha256)
    alice.delete(f"/api/v1/files/{sha256}")
    work()
    found = show(alice, campaign)
    assert (found["status"], counts_of(alice, campaign)) == ("paused", {"pending": 2})
    assert "attachment was deleted" in found["fault"]
    alice.post("/api/v1/files", query_string={"name": "plan.txt"}, data=b"the plan")
    move(alice, campaign, "resume")
    work()
    assert (show(alice, campaign)["status"], len(office.taken)) == ("done", 2)
    assert show(alice, campaign)["fault"] is None


def test_draft_is_sent_to_nobody(alice, work, office):
    new_campaign(alice)
    work()
    assert office.taken == []
