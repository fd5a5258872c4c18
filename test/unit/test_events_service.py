"""What is decided about events, and about the tasks that name one."""

from datetime import UTC, datetime
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from sqlalchemy.dialects import postgresql

from app.errors import Conflict, ValidationFailed
from app.models import Event, Task
from app.models.campaign import UNDER_WAY
from app.services import events, tasks

ALICE = SimpleNamespace(id=7)
JUNE = datetime(2099, 6, 19, 18, tzinfo=UTC)


@pytest.fixture
def event(monkeypatch) -> Event:
    """A row; to save or delete it reaches no database."""
    monkeypatch.setattr(Event, "save", lambda self, **_options: self)
    monkeypatch.setattr(Event, "delete", Mock())
    return Event(id=3, user_id=7, name="Party", starts_at=JUNE, place="Garden")


@pytest.fixture
def asked(monkeypatch) -> Mock:
    """The session of both services."""
    session = Mock()
    for module in (events, tasks):
        monkeypatch.setattr(module, "session", session)
    return session


def sql(statement) -> str:
    compiled = statement.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
    return " ".join(str(compiled).split())


def test_new_event_belongs_to_who_made_it(monkeypatch):
    create = Mock()
    monkeypatch.setattr(Event, "create", create)
    assert events.create(ALICE, {"name": "x", "starts_at": "2099-06-19T20:00:00+02:00"}) is create.return_value
    create.assert_called_once_with(user_id=7, name="x", starts_at=JUNE)


def test_only_what_is_named_changes(event):
    assert events.change(event, {"place": None}) is event
    assert (event.name, event.starts_at, event.place) == ("Party", JUNE, None)
    events.change(event, {"starts_at": None, "name": "x"})
    assert (event.name, event.starts_at) == ("x", None)


def test_body_names_no_other_column(event):
    events.change(event, {"id": 99, "name": "x"})
    assert event.id == 3


@pytest.mark.parametrize("statuses", [[], ["draft"], ["done", "cancelled", "draft"]])
def test_event_without_a_campaign_under_way_is_deleted(event, asked, statuses):
    asked.scalars.return_value = iter(statuses)
    events.delete(event)
    event.delete.assert_called_once_with()


@pytest.mark.parametrize("status", UNDER_WAY)
def test_event_with_a_campaign_under_way_stays(event, asked, status):
    asked.scalars.return_value = iter(["done", status])
    with pytest.raises(Conflict, match="under way"):
        events.delete(event)
    event.delete.assert_not_called()


def test_all_its_campaigns_are_locked_before_one_is_looked_at(event, asked):
    asked.scalars.return_value = iter([])
    events.delete(event)
    [call] = asked.scalars.call_args_list
    assert sql(call.args[0]) == "SELECT campaigns.status FROM campaigns WHERE campaigns.event_id = 3 FOR UPDATE"


def test_task_names_an_event_of_its_account(asked, monkeypatch):
    create = Mock(return_value=Task(text="x", done=False))
    monkeypatch.setattr(Task, "create", create)
    tasks.create(ALICE, {"text": "x", "event_id": 3})
    create.assert_called_once_with(user_id=7, text="x", event_id=3)
    [call] = asked.scalar.call_args_list
    wanted = "SELECT events.id FROM events WHERE events.id = 3 AND events.user_id = 7 FOR KEY SHARE"
    assert sql(call.args[0]) == wanted


def test_task_of_no_event_asks_for_none(asked, monkeypatch):
    monkeypatch.setattr(Task, "create", Mock(return_value=Task(text="x", done=False)))
    tasks.create(ALICE, {"text": "x", "event_id": None})
    asked.scalar.assert_not_called()


def test_task_of_an_unknown_event_is_not_made(asked, monkeypatch):
    create = Mock()
    monkeypatch.setattr(Task, "create", create)
    asked.scalar.return_value = None
    with pytest.raises(ValidationFailed) as refusal:
        tasks.create(ALICE, {"text": "x", "event_id": 3})
    assert refusal.value.extras["errors"][0]["pointer"] == "#/event_id"
    create.assert_not_called()
