"""Bodies about events."""

from app.helpers.validation import FILLED_LINE, ONE_LINE, Schema
from app.schemas.common import ID, IGNORED, MOMENT, MOMENT_OR_NULL, answer

FIELDS = {
    "name": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": FILLED_LINE},
    "starts_at": MOMENT_OR_NULL,
    "place": {"type": ["string", "null"], "maxLength": 500, "pattern": ONE_LINE},
}

create = Schema(
    {
        "title": "NewEvent",
        "type": "object",
        "properties": FIELDS,
        "required": ["name"],
        "additionalProperties": False,
        "examples": [{"name": "Summer party", "starts_at": "2027-06-19T18:00:00Z", "place": "Town hall"}],
    }
)
replace = Schema(create.schema | {"title": "EventReplacement", "properties": FIELDS | {"id": IGNORED}})
update = Schema(
    {
        "title": "EventChange",
        "type": "object",
        "properties": FIELDS | {"id": IGNORED},
        "additionalProperties": False,
        "examples": [{"place": "Garden"}],
    }
)
shown = answer("Event", {"id": ID, **FIELDS, "created_at": MOMENT, "updated_at": MOMENT})
