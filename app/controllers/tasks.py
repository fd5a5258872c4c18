"""To-dos: `/api/v1/tasks`."""

from flask import Blueprint, Response, g

from app.helpers.pages import flag, moment, page
from app.helpers.responses import nothing, shown
from app.helpers.validation import read_body
from app.models import Task
from app.schemas import tasks as schemas
from app.services import tasks

bp = Blueprint("tasks", __name__, url_prefix="/api/v1/tasks")

EMPTY = {"done": False, "due_at": None, "event_id": None}  # what a PUT leaves out
FILTERS = {
    "done": flag("done"),
    "due_before": moment("due_at__lt"),
    "due_after": moment("due_at__gt"),
    "event_id": lambda text: {"event_id": int(text)},
}


@bp.get("")
def index() -> Response:
    return page(Task, {"user_id": g.actor.id}, FILTERS)


@bp.post("")
def create() -> Response:
    task = tasks.create(g.actor, read_body(schemas.create))
    return shown(task, 201, f"/api/v1/tasks/{task.id}")


@bp.get("/<int:task_id>")
def show(task_id: int) -> Response:
    return shown(Task.find_for(g.actor, task_id))


@bp.put("/<int:task_id>")
def replace(task_id: int) -> Response:
    task = Task.find_for(g.actor, task_id)
    return shown(tasks.change(task, EMPTY | read_body(schemas.replace)))


@bp.patch("/<int:task_id>")
def update(task_id: int) -> Response:
    task = Task.find_for(g.actor, task_id)
    return shown(tasks.change(task, read_body(schemas.update)))


@bp.delete("/<int:task_id>")
def delete(task_id: int) -> Response:
    tasks.delete(Task.find_for(g.actor, task_id))
    return nothing()
