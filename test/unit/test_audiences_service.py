"""Who gets a campaign: what is asked of the database, and what is made of its answers."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from sqlalchemy.dialects import postgresql, sqlite

from app.models import Campaign
from app.services import audiences

CAMPAIGN = Campaign(id=3, user_id=7, event_id=5, audience={"status": ["added", "invited"], "role": ["vip"]})
DIALECTS = [postgresql.dialect(), sqlite.dialect()]


@pytest.fixture
def session(monkeypatch) -> Mock:
    mock = Mock()
    monkeypatch.setattr(audiences, "session", mock)
    return mock


def sql_of(call: Mock, dialect) -> str:
    """The statement that was executed, with its values, on one line."""
    (statement,) = call.call_args.args
    return " ".join(str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True})).split())


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_audience_is_noted_in_one_statement(session, dialect):
    audiences.write_down(CAMPAIGN)
    sql = sql_of(session.execute, dialect)
    assert sql.startswith("INSERT INTO recipients (campaign_id, guest_id, email, email_key, state,")
    assert "guests.event_id = 5 AND guests.status IN ('added', 'invited') AND guests.role IN ('vip')" in sql
    assert "unsubscriptions.user_id = 7 AND unsubscriptions.email_key = guests.email_key" in sql
    assert "'skipped' ELSE 'pending'" in sql
    assert sql.endswith("ORDER BY guests.id")
    session.execute.assert_called_once()


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_whole_event_is_the_audience_of_who_names_none(session, dialect):
    session.execute.return_value.one.return_value = (5, 2)
    assert audiences.reach(Campaign(id=3, user_id=7, event_id=5, audience={})) == audiences.Reach(3, 2)
    sql = sql_of(session.execute, dialect)
    assert sql.endswith("WHERE guests.event_id = 5")
    assert "JOIN" not in sql  # which PostgreSQL may make a loop over all pairs


@pytest.mark.parametrize(("first", "expected"), [(None, True), (9, False)])
def test_audience_is_empty_if_nobody_is_found(session, first, expected):
    session.scalar.return_value = first
    assert audiences.is_empty(CAMPAIGN) is expected
    sql = sql_of(session.scalar, DIALECTS[0])
    assert sql.endswith("IS NULL LIMIT 1")


def test_first_hundred_who_unsubscribed_are_told(session):
    session.scalars.return_value = iter(["a@example.com"])
    assert audiences.unsubscribed(CAMPAIGN) == ["a@example.com"]
    assert sql_of(session.scalars, DIALECTS[0]).endswith("IS NOT NULL ORDER BY guests.id LIMIT 100")


def test_renewed_messages_begin_anew_and_are_counted(session):
    session.execute.return_value = SimpleNamespace(rowcount=4)
    assert audiences.renew(CAMPAIGN, ["failed", "unknown"]) == 4
    sql = sql_of_update(session)
    assert "state='pending', attempts=0, error=NULL, not_before=NULL" in sql
    assert sql.endswith("WHERE recipients.campaign_id = 3 AND recipients.state IN ('failed', 'unknown')")


def sql_of_update(session: Mock) -> str:
    """But for the moment, which `updated_at` has."""
    (statement,) = session.execute.call_args.args
    return sql_of(Mock(call_args=SimpleNamespace(args=(statement.values(updated_at=None),))), DIALECTS[1])
