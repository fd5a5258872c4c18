"""What the bench of campaigns finds wrong, and what it plans."""

from collections import Counter
from types import SimpleNamespace

import pytest

from bench.campaign import oracle
from bench.campaign.fire import plan


def row(number: int, state: str) -> SimpleNamespace:
    return SimpleNamespace(id=number, email=f"guest{number}@example.com", state=state, error=None)


def mail(number: int, to: int | None = None) -> tuple[str, str]:
    return f"campaign-7-{number}", f"guest{number if to is None else to}@example.com"


def judge(rows, received, policy="leave", status="done", guests=None) -> oracle.Findings:
    return oracle.judge(policy, 7, guests or len(rows), status, rows, Counter(received))


def test_nothing_is_wrong_where_all_is_well():
    rows = [row(1, "sent"), row(2, "failed"), row(3, "skipped"), row(4, "unknown"), row(5, "unknown")]
    found = judge(rows, [mail(1), mail(5)])
    assert found.missed == []
    assert found.unknown == {"guest4@example.com": 0, "guest5@example.com": 1}


@pytest.mark.parametrize(
    ("rows", "received", "mark"),
    [
        ([row(1, "sent")], [], "no message is missing"),
        ([row(1, "sending")], [], "no message is missing"),
        ([row(1, "sent")], [mail(1), mail(1)], "no guest got two mails"),
        ([row(1, "sent"), row(2, "sent")], [mail(1), mail(2), mail(2, to=1)], "no guest got two mails"),
        ([row(1, "skipped")], [mail(1)], "no mail belongs to nobody"),
        ([row(1, "pending")], [mail(1)], "no mail belongs to nobody"),
        ([row(1, "sent"), row(1, "sent")], [mail(1)], "one row for each guest"),
    ],
)
def test_oracle_sees_what_is_wrong(rows, received, mark):
    assert mark in judge(rows, received).missed


def test_campaign_must_end_and_have_a_row_for_each_guest():
    assert judge([row(1, "sent")], [mail(1)], status="paused").missed == ["the campaign is done"]
    assert judge([row(1, "sent")], [mail(1)], guests=2).missed == ["one row for each guest"]


def test_who_sends_again_may_repeat_but_leaves_nothing_unknown():
    assert judge([row(1, "sent")], [mail(1), mail(1)], "send_again").missed == []
    assert judge([row(1, "unknown")], [], "send_again").missed == ["nothing is unknown"]


def test_busy_time_counts_overlaps_once():
    assert oracle.busy_seconds([(1, 3), (2, 4), (6, 7), (6.5, 6.6)]) == 4


def test_same_seed_gives_the_same_plan():
    assert plan("a", 50) == plan("a", 50) != plan("b", 50)
    assert {strike.action for strike in plan("a", 50)} == {"kill", "failpoint"}
