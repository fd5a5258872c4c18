"""Bodies about tasks."""

from app.helpers.validation import NOT_BLANK, Schema
from app.schemas.common import ID, IGNORED, MOMENT, answer

FIELDS = {
    "text": {"type": "string", "minLength": 1, "maxLength": 10_000, "pattern": NOT_BLANK},
    "done": {"type": "boolean"},
    "due_at": {"type": ["string", "null"], "format": "date-time"},
    "event_id": {"type": ["integer", "null"], "minimum": 1, "maximum": 2**63 - 1},
}
EXAMPLE = {"text": "Buy candles", "due_at": "2026-12-24T09:00:00Z"}

create = Schema(
    {
        "title": "NewTask",
        "type": "object",
        "properties": FIELDS,
        "required": ["text"],
        "additionalProperties": False,
        "examples": [EXAMPLE],
    }
)
replace = Schema(create.schema | {"title": "TaskReplacement", "properties": FIELDS | {"id": IGNORED}})
update = Schema(
    {
        "title": "TaskChange",
        "type": "object",
        "properties": FIELDS | {"id": IGNORED},
        "additionalProperties": False,
        "examples": [{"done": True}],
    }
)
shown = answer(
    "Task",
    {
        "id": ID,
        **FIELDS,
        "reminder_job_id": {"type": ["string", "null"], "format": "uuid"},
        "created_at": MOMENT,
        "updated_at": MOMENT,
    },
)

V0_FIELDS = {"text": FIELDS["text"], "status": {"enum": [0, 1]}, "id": IGNORED}
v0_create = Schema(
    {
        "title": "NewTaskV0",
        "type": "object",
        "properties": V0_FIELDS,
        "required": ["text"],
        "examples": [{"text": "Buy candles"}],
    },
    status=400,
)
v0_update = Schema(
    {"title": "TaskChangeV0", "type": "object", "properties": V0_FIELDS, "examples": [{"status": 1}]}, status=400
)
V0_TASK = answer("TaskV0", {"id": ID, "text": FIELDS["text"], "status": {"enum": [0, 1]}}).schema
v0_shown = answer("TaskResultV0", {"result": V0_TASK})
v0_list = answer("TaskListV0", {"result": {"type": "array", "items": V0_TASK}})
v0_deleted = answer("DeletedV0", {"success": {"const": True}})
