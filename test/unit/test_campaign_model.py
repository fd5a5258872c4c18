"""What can be done to a campaign in which state, and what that changes of it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Conflict
from app.models import Campaign, Recipient, campaign
from app.models.campaign import CHANGEABLE, MOVES, STATUSES

LATER, EARLIER = datetime(2099, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
CALLS = {
    "launch": lambda one: one.launch(),
    "launch at": lambda one: one.launch(LATER),
    "pause": lambda one: one.pause(),
    "resume": lambda one: one.resume(),
    "cancel": lambda one: one.cancel(),
    "retry": lambda one: one.retry(),
    "finish": lambda one: one.finish(),
    "halt": lambda one: one.halt("why"),
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("verb", sorted(MOVES.keys() - {"delete"}))
def test_move_is_made_or_refused_without_a_trace(verb, status):
    one = Campaign(status=status)
    if status in MOVES[verb]:
        CALLS[verb](one)
        return
    with pytest.raises(Conflict, match=f"To {verb} a campaign, .* this one is {status}."):
        CALLS[verb](one)
    assert (one.status, one.fault, one.finished_at) == (status, None, None)


@given(st.lists(st.sampled_from(sorted(CALLS))))
def test_in_any_order_its_times_and_faults_fit_its_state(verbs):
    one = Campaign(status="draft")
    for verb in verbs:
        try:
            CALLS[verb](one)
        except Conflict:
            continue
        assert one.status in STATUSES
        assert (one.finished_at is not None) == (one.status in ("done", "cancelled"))
        assert one.fault is None or one.status in ("paused", "done", "cancelled")
        assert (one.status == "scheduled") <= (one.scheduled_at is not None)


@pytest.mark.parametrize(("scheduled_at", "status"), [(None, "sending"), (EARLIER, "sending"), (LATER, "scheduled")])
def test_resume_waits_for_its_time(scheduled_at, status):
    one = Campaign(status="paused", scheduled_at=scheduled_at, fault="why")
    one.resume()
    assert (one.status, one.fault) == (status, None)


def test_halt_says_why_as_far_as_there_is_room():
    one = Campaign(status="sending")
    one.halt("x" * 1000)
    assert (one.status, len(one.fault)) == ("paused", campaign.LONGEST_FAULT)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("name", ["body", "event_id", *CHANGEABLE])
def test_draft_can_be_changed_and_later_only_some_of_it(status, name):
    one = Campaign(status=status)
    if status == "draft" or (one.is_under_way and name in CHANGEABLE):
        one.require_changeable({name})
        return
    with pytest.raises(Conflict, match=f"The campaign is {status}: {name} can't be changed any more."):
        one.require_changeable({name})


def test_nothing_changed_is_never_refused():
    Campaign(status="done").require_changeable(set())


def test_one_campaign_shows_its_messages_and_a_list_does_not(monkeypatch):
    monkeypatch.setattr(Recipient, "counts_of", lambda campaign_id: {"sent": campaign_id})
    one = Campaign(id=3, status="draft", job_id="0199")
    assert tuple(one.to_dict()) == Campaign.PUBLIC
    shown = one.to_details()
    assert tuple(shown) == (*Campaign.PUBLIC, "counts", "links")
    assert shown["counts"] == {"sent": 3}
    links = {name: f"/api/v1/campaigns/3/{name}" for name in campaign.LINKS}
    assert shown["links"] == {"self": "/api/v1/campaigns/3", **links, "job": "/api/v1/jobs/0199"}
    assert Campaign(id=3).to_details()["links"]["job"] is None
