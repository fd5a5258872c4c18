"""Bodies about tasks."""

from app.helpers.validation import NOT_BLANK, Schema

FIELDS = {
    "text": {"type": "string", "minLength": 1, "maxLength": 10_000, "pattern": NOT_BLANK},
    "done": {"type": "boolean"},
    "due_at": {"type": ["string", "null"], "format": "date-time"},
    "event_id": {"type": ["integer", "null"], "minimum": 1, "maximum": 2**63 - 1},
}

# An id in the body of a PUT is ignored: the one in the path is definitive.
replace = Schema(
    {
        "type": "object",
        "properties": FIELDS | {"id": True},
        "required": ["text"],
        "additionalProperties": False,
    }
)
create = Schema({"type": "object", "properties": FIELDS, "required": ["text"], "additionalProperties": False})
update = Schema({"type": "object", "properties": FIELDS | {"id": True}, "additionalProperties": False})

V0_FIELDS = {"text": FIELDS["text"], "status": {"enum": [0, 1]}, "id": True}
v0_create = Schema({"type": "object", "properties": V0_FIELDS, "required": ["text"]}, status=400)
v0_update = Schema({"type": "object", "properties": V0_FIELDS}, status=400)
