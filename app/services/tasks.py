"""Tasks and their reminders. A task that is not done and has a due date is reminded of once for each due date: at
that moment, or as soon after it as the server can."""

from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.db import session
from app.errors import ValidationFailed
from app.helpers.validation import parse_moment
from app.models import Event, Job, Task, User
from app.models.base import rfc3339
from app.queue import enqueue
from app.services import jobs


def create(user: User, fields: dict[str, Any]) -> Task:
    task = Task.create(user_id=user.id, **_values(user, fields))
    _plan_reminder(task)
    return task


def change(task: Task, fields: dict[str, Any]) -> Task:
    """Changes these fields; the reminder follows. An unchanged due date is not reminded of a second time."""
    before = (task.due_at, task.done)
    task.update(**_values(task.user, fields))
    if (task.due_at, task.done) != before:
        _drop_reminder(task)
        _plan_reminder(task)
    return task


def delete(task: Task) -> None:
    _drop_reminder(task)
    task.delete()


def _values(user: User, fields: dict[str, Any]) -> dict[str, Any]:
    """The columns for a body that fits the schema."""
    if fields.get("event_id") is not None:
        _check_event(user, fields["event_id"])
    values: dict[str, Any] = {name: fields[name] for name in ("text", "done", "event_id") if name in fields}
    if "due_at" in fields:
        due_at: datetime | None = parse_moment(fields["due_at"]) if fields["due_at"] else None
        values["due_at"] = due_at
    return values


def _check_event(user: User, event_id: int) -> None:
    """It is one of the account's, and stays until the task is written: the lock is the one that its foreign key takes
    anyway, and keeps nobody from changing the event."""
    query = select(Event.id).where(Event.id == event_id, Event.visible_to(user))
    if session.scalar(query.with_for_update(read=True, key_share=True)) is None:
        raise ValidationFailed(errors=[{"detail": "there is no event with this id", "pointer": "#/event_id"}])


def _plan_reminder(task: Task) -> None:
    if task.wants_reminder:
        job = enqueue("tasks.remind", at=task.due_at, target=task, task_id=task.id, due_at=rfc3339(task.due_at))
        task.reminder_job_id = job.id


def _drop_reminder(task: Task) -> None:
    """Cancels the reminder that is still to come. One that was sent stays in the list of jobs."""
    job = Job.find(task.reminder_job_id) if task.reminder_job_id else None
    if job is not None and not job.is_done:
        jobs.cancel(job)
    task.reminder_job_id = None
