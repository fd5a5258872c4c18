"""How a campaign's round is judged and when it waits; without a database or a mail server."""

import time
from collections import Counter
from datetime import timedelta
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from sqlalchemy.exc import OperationalError

from app.helpers import mailer
from app.helpers.mailer import Away, Mail, Refused, Unsure
from app.models import Campaign
from app.models.base import now
from app.models.job import NEVER
from app.queue.attempt import Canceled, Postponed
from app.services import recipients, sending
from app.services.outlets import FRESH_SECONDS, Late
from app.services.recipients import DELAYS, Letter, Turn
from app.services.sending import Delivery

MAIL = Mail("b@example.com", "x", "y", "k")
SOON = timedelta(seconds=30)


@pytest.fixture(autouse=True)
def outlets(settings, monkeypatch) -> list[Mock]:
    """The ways out that were opened."""
    made: list[Mock] = []

    def open_outlet() -> Mock:
        made.append(Mock())
        return made[-1]

    monkeypatch.setattr(mailer, "open_outlet", open_outlet)
    return made


@pytest.fixture
def rows(monkeypatch) -> Mock:
    """What is done to the rows of recipients."""
    mock = Mock(spec=recipients)
    mock.lock.return_value = campaign()
    mock.count.return_value = Counter(pending=2)
    mock.mark.return_value = Turn([letter()], 0, 3)
    mock.first_retry.return_value = None
    monkeypatch.setattr(sending, "recipients", mock)
    return mock


@pytest.fixture
def checkpoint(monkeypatch) -> Mock:
    mock = Mock()
    monkeypatch.setattr(sending, "checkpoint", mock)
    return mock


def campaign(**values) -> Campaign:
    return Campaign(**{"id": 7, "user_id": 1, "status": "sending", "if_unknown": "leave"} | values)


def letter(attempts: int = 1, outcome: Exception | None = None, clock: float | None = None) -> Letter:
    return Letter(3, 5, attempts, MAIL, now(), time.monotonic() if clock is None else clock, outcome)


FOR_NOW, FOR_GOOD, AWAY, UNSURE = Refused("450 x", False), Refused("550 x", True), Away("x"), Unsure("x")


@pytest.mark.parametrize(
    ("outcome", "policy", "attempts", "state"),
    [
        (None, "leave", 1, "sent"),
        (FOR_GOOD, "leave", 1, "failed"),
        (FOR_NOW, "leave", 4, "pending"),
        (FOR_NOW, "leave", 5, "failed"),
        (FOR_NOW, "leave", 6, "failed"),
        (AWAY, "leave", 9, "pending"),
        (Late("x"), "leave", 1, "pending"),
        (UNSURE, "leave", 1, "unknown"),
        (UNSURE, "send_again", 1, "pending"),
        (UNSURE, "send_again", 5, "unknown"),
    ],
)
def test_state_after_the_hand_over(outcome, policy, attempts, state):
    assert recipients.fate(letter(attempts, outcome), policy, now())["state"] == state


@pytest.mark.parametrize(("attempts", "delay"), list(enumerate(DELAYS, 1)))
def test_refusal_for_now_waits_longer_each_time(attempts, delay):
    moment = now()
    values = recipients.fate(letter(attempts, FOR_NOW), "leave", moment)
    assert (values["not_before"], values["error"]) == (moment + delay, "450 x")


def test_hand_over_that_never_was_does_not_count():
    assert recipients.fate(letter(3, AWAY), "leave", now()) == {"state": "pending", "attempts": 2}


@pytest.mark.parametrize(
    ("fields", "until"),
    [
        ({"status": "paused"}, NEVER),
        ({"status": "scheduled", "scheduled_at": NEVER}, NEVER),
        ({"messages_per_minute": 1, "next_message_at": NEVER}, NEVER),
    ],
)
def test_job_waits(rows, checkpoint, fields, until):
    rows.lock.return_value = campaign(**fields)
    with Delivery(7) as delivery, pytest.raises(Postponed) as postponed:
        delivery.goes_on()
    assert postponed.value.until == until
    rows.mark.assert_not_called()


@pytest.mark.parametrize("found", [None, "draft", "done", "cancelled"])
def test_job_ends_where_nothing_is_to_be_sent(rows, checkpoint, found):
    rows.lock.return_value = found and campaign(status=found)
    with Delivery(7) as delivery:
        assert not delivery.goes_on()
    rows.mark.assert_not_called()


def test_last_message_is_followed_by_the_end(rows, checkpoint):
    rows.mark.return_value = Turn()
    with Delivery(7) as delivery:
        assert not delivery.goes_on()
    assert rows.lock.return_value.status == "done"
    assert rows.lock.return_value.finished_at is not None


def test_job_waits_for_those_that_were_refused_for_now(rows, checkpoint):
    rows.mark.return_value = Turn()
    rows.first_retry.return_value = until = now() + SOON
    with Delivery(7) as delivery, pytest.raises(Postponed) as postponed:
        delivery.goes_on()
    assert postponed.value.until == until


def test_scheduled_campaign_begins_when_it_is_due(rows, checkpoint):
    rows.lock.return_value = due = campaign(status="scheduled", scheduled_at=now() - SOON)
    with Delivery(7) as delivery:
        assert delivery.goes_on()
    assert (due.status, due.started_at is None) == ("sending", False)


def test_round_is_handed_over_after_its_commit_and_noted_by_the_next(rows, checkpoint, outlets):
    with Delivery(7) as delivery:
        assert delivery.goes_on()
        checkpoint.assert_called_once_with(0, 2, failed=0)
        outlets[0].hand_over.assert_not_called()
        delivery.hand_over()
        outlets[0].hand_over.assert_called_once_with(MAIL)
        assert delivery.goes_on()
        assert [one.outcome for one in rows.note.call_args.args[1]] == [None]
    rows.resolve.assert_called_once()
    for outlet in outlets:
        outlet.close.assert_called_once_with()


@pytest.mark.parametrize("has_sent", [True, False])
def test_server_that_is_away_is_waited_for_if_it_was_there(rows, checkpoint, outlets, has_sent):
    with Delivery(7) as delivery:
        delivery.has_sent = has_sent
        delivery.goes_on()
        outlets[0].hand_over.side_effect = AWAY
        delivery.hand_over()
        assert delivery.goes_on()  # writes that down
        rows.mark.assert_called_once()
        with pytest.raises(Postponed if has_sent else Away):
            delivery.goes_on()


def test_message_that_lay_too_long_is_not_handed_over(rows, checkpoint, outlets):
    stale = letter(clock=time.monotonic() - FRESH_SECONDS - 1)
    rows.mark.return_value = Turn([stale], 0, 3)
    with Delivery(7) as delivery:
        delivery.goes_on()
        delivery.hand_over()
    assert isinstance(stale.outcome, Late)
    assert delivery.away is None
    outlets[0].hand_over.assert_not_called()


def test_canceled_job_puts_back_what_it_marked(rows, monkeypatch):
    monkeypatch.setattr(sending, "checkpoint", Mock(side_effect=Canceled))
    with Delivery(7) as delivery, pytest.raises(Canceled):
        delivery.goes_on()
    rows.put_back.assert_called_once_with(rows.mark.return_value.letters)


def test_database_that_is_away_is_tried_again_and_in_the_end_given_up(rows, checkpoint, monkeypatch):
    monkeypatch.setattr(sending, "DATABASE_RETRIES", (0.0, 0.0))
    monkeypatch.setattr(sending, "session", SimpleNamespace(rollback=Mock()))
    rows.lock.side_effect = [OperationalError("", {}, Exception("away"))] * 2 + [campaign()]
    with Delivery(7) as delivery:
        assert delivery.goes_on()
        rows.lock.side_effect = [OperationalError("", {}, Exception("away"))] * 3
        with pytest.raises(OperationalError):
            delivery.goes_on()
