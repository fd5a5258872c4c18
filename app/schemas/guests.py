"""Bodies about guests."""

from app.helpers.validation import FILLED_LINE, ONE_LINE, Schema
from app.models.guest import STATUSES
from app.schemas.common import ID, IGNORED, MOMENT, MOMENT_OR_NULL, answer
from app.schemas.users import EMAIL

FIELDS = {
    "email": EMAIL,
    "name": {"type": "string", "maxLength": 200, "pattern": ONE_LINE},
    "role": {"type": "string", "minLength": 1, "maxLength": 50, "pattern": FILLED_LINE},
}
STATUS = {
    "enum": ["added", "accepted", "declined"],
    "description": "What the guest answered elsewhere, and when: now. `added` takes the answer back.",
}

create = Schema(
    {
        "title": "NewGuest",
        "type": "object",
        "properties": FIELDS,
        "required": ["email"],
        "additionalProperties": False,
        "examples": [{"email": "grace@example.com", "name": "Grace Hopper", "role": "speaker"}],
    }
)
CHANGES = FIELDS | {"status": STATUS, "id": IGNORED}
replace = Schema(create.schema | {"title": "GuestReplacement", "properties": CHANGES})
update = Schema(
    {
        "title": "GuestChange",
        "type": "object",
        "properties": CHANGES,
        "additionalProperties": False,
        "examples": [{"status": "accepted"}],
    }
)
shown = answer(
    "Guest",
    {
        "id": ID,
        "event_id": ID,
        **FIELDS,
        "status": {"enum": list(STATUSES)},
        "invited_at": MOMENT_OR_NULL,
        "answered_at": MOMENT_OR_NULL,
        "created_at": MOMENT,
        "updated_at": MOMENT,
    },
)
