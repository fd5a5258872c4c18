"""To-dos: `/api/v1/tasks`."""

from typing import Any

from flask import Blueprint, Response, g

from app.helpers.auth import needs
from app.helpers.declare import gives, lists, takes
from app.helpers.pages import flag, moment, number
from app.helpers.responses import find, nothing, shown
from app.models import Task
from app.schemas import tasks as schemas
from app.services import tasks

bp = Blueprint("tasks", __name__, url_prefix="/api/v1/tasks")

EMPTY = {"done": False, "due_at": None, "event_id": None}  # what a PUT leaves out
FILTERS = {
    "done": flag("done"),
    "due_before": moment("due_at__lt"),
    "due_after": moment("due_at__gt"),
    "event_id": number("event_id"),
}


@bp.get("")
@needs("tasks:read")
@lists(Task, schemas.shown, FILTERS)
def index(page: Any) -> Response:
    """List one's own tasks."""
    return page(user_id=g.actor.id)  # type: ignore[no-any-return]


@bp.post("")
@needs("tasks:write")
@takes(schemas.create)
@gives(201, schemas.shown, "Location", "ETag")
def create(body: dict[str, Any]) -> Response:
    """Create a task. With a due date it brings a reminder by mail: the job `reminder_job_id`."""
    task = tasks.create(g.actor, body)
    return shown(task, 201, f"/api/v1/tasks/{task.id}")


@bp.get("/<int:task_id>")
@needs("tasks:read")
@gives(200, schemas.shown, "ETag")
def show(task_id: int) -> Response:
    """Show a task."""
    return shown(find(Task, task_id))


@bp.put("/<int:task_id>")
@needs("tasks:write")
@takes(schemas.replace)
@gives(200, schemas.shown, "ETag")
def replace(task_id: int, body: dict[str, Any]) -> Response:
    """Replace a task: what is left out becomes empty."""
    return shown(tasks.change(find(Task, task_id), EMPTY | body))


@bp.patch("/<int:task_id>")
@needs("tasks:write")
@takes(schemas.update)
@gives(200, schemas.shown, "ETag")
def update(task_id: int, body: dict[str, Any]) -> Response:
    """Change the named fields of a task. Its reminder follows the due date."""
    return shown(tasks.change(find(Task, task_id), body))


@bp.delete("/<int:task_id>")
@needs("tasks:write")
@gives(204)
def delete(task_id: int) -> Response:
    """Delete a task, and its reminder with it."""
    tasks.delete(find(Task, task_id))
    return nothing()
