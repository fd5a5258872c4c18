"""Jobs about tasks."""

from typing import Any

from app.helpers import mailer
from app.helpers.mailer import Mail
from app.models import Task
from app.models.base import rfc3339
from app.queue import checkpoint, job


@job(queue="high", timeout_seconds=60)
def remind(task_id: int, due_at: str) -> dict[str, Any]:
    """Mails a task's owner that it is due – unless it was done, deleted or put off in the meantime."""
    task = Task.find(task_id)
    if task is None or task.done or rfc3339(task.due_at) != due_at:
        return {"sent": False}
    to, text = task.user.email, task.text
    checkpoint()  # the last moment to be canceled; and no transaction stays open while the mail server takes its time
    key = f"task-{task_id}-{due_at.replace(':', '')}"
    mailer.send(Mail(to, f"Reminder: {text}", f"{text}\n\nDue: {due_at}\n", key))
    return {"sent": True}
