"""What the API shows of a job."""

from app.models.job import LANES, STATUSES
from app.schemas.common import ID, MOMENT, MOMENT_OR_NULL, answer

COUNT = {"type": "integer", "minimum": 0}
TEXT_OR_NULL = {"type": ["string", "null"]}
TARGET = answer("JobTarget", {"type": {"type": "string"}, "id": ID, "href": {"type": "string"}}).schema
PROGRESS = answer(
    "JobProgress",
    {"total": COUNT, "completed": COUNT, "failed": COUNT, "message": TEXT_OR_NULL, "updated_at": MOMENT_OR_NULL},
).schema
ATTEMPT = answer(
    "JobAttempt",
    {
        "number": COUNT,
        "started_at": MOMENT,
        "finished_at": MOMENT_OR_NULL,
        "worker": TEXT_OR_NULL,
        "error": TEXT_OR_NULL,
    },
).schema
LINKS = answer(
    "JobLinks", {name: {"type": "string"} for name in ("self", "events", "cancel", "retry", "result")}
).schema

shown = answer(
    "Job",
    {
        "id": {"type": "string", "format": "uuid"},
        "type": {"type": "string", "examples": ["tasks.remind"]},
        "status": {"enum": list(STATUSES)},
        "done": {"type": "boolean", "description": "True exactly when nothing more will happen."},
        "target": {"anyOf": [TARGET, {"type": "null"}]},
        "progress": PROGRESS,
        "attempt": COUNT,
        "max_attempts": COUNT,
        "next_attempt_at": MOMENT_OR_NULL,
        "attempts": {"type": "array", "items": ATTEMPT},
        "result": {"description": "What the job returned; null unless it succeeded."},
        "error": {"type": ["object", "null"], "description": "A problem object; set only if failed or canceled."},
        "queue": {"enum": list(LANES)},
        "request_id": TEXT_OR_NULL,
        "created_at": MOMENT,
        "scheduled_at": MOMENT_OR_NULL,
        "started_at": MOMENT_OR_NULL,
        "finished_at": MOMENT_OR_NULL,
        "cancel_requested_at": MOMENT_OR_NULL,
        "expires_at": MOMENT_OR_NULL,
        "links": LINKS,
    },
)
