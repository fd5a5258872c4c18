"""`/tasks`, `/task`, `/task/<id>`: status 0 is incomplete, 1 complete."""

from typing import Any

from flask import Response, g, jsonify
from sqlalchemy import select

from app.controllers.v0 import blueprint
from app.db import session
from app.helpers.auth import needs
from app.helpers.declare import gives, takes
from app.helpers.responses import find
from app.models import Task
from app.schemas import tasks as schemas
from app.services import tasks

bp = blueprint("tasks", successor="/api/v1/tasks")


def _shape(task: Task) -> dict[str, Any]:
    return {"id": task.id, "text": task.text, "status": int(task.done)}


def _fields(body: dict[str, Any]) -> dict[str, Any]:
    """The fields of today for a body of then."""
    fields = {"text": body["text"]} if "text" in body else {}
    return fields | ({"done": body["status"] == 1} if "status" in body else {})


@bp.get("/tasks")
@needs("tasks:read")
@gives(200, schemas.v0_list)
def index() -> Response:
    """List one's own tasks."""
    rows = session.scalars(select(Task).where(Task.visible_to(g.actor)).order_by(Task.id))
    return jsonify({"result": [_shape(task) for task in rows]})


@bp.post("/task")
@needs("tasks:write")
@takes(schemas.v0_create)
@gives(201, schemas.v0_shown)
def create(body: dict[str, Any]) -> tuple[Response, int]:
    """Create a task."""
    return jsonify({"result": _shape(tasks.create(g.actor, _fields(body)))}), 201


@bp.put("/task/<int:task_id>")
@needs("tasks:write")
@takes(schemas.v0_update)
@gives(200, schemas.v0_shown)
def replace(task_id: int, body: dict[str, Any]) -> Response:
    """Change a task."""
    return jsonify({"result": _shape(tasks.change(find(Task, task_id), _fields(body)))})


@bp.delete("/task/<int:task_id>")
@needs("tasks:write")
@gives(200, schemas.v0_deleted)
def delete(task_id: int) -> Response:
    """Delete a task."""
    tasks.delete(find(Task, task_id))
    return jsonify({"success": True})
