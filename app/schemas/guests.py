"""Bodies about guests."""

from app.helpers.validation import Schema
from app.schemas.users import EMAIL

ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$(?!\n)"
FIELDS = {
    "email": EMAIL,
    "name": {"type": "string", "maxLength": 200, "pattern": ONE_LINE},
    "role": {"type": "string", "minLength": 1, "maxLength": 50, "pattern": ONE_LINE},
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
