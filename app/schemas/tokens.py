"""Bodies about named tokens."""

from app.helpers.validation import NOT_BLANK, Schema
from app.models.api_token import SCOPES
from app.schemas.common import ID, MOMENT, MOMENT_OR_NULL, answer

NAME = {"type": "string", "minLength": 1, "maxLength": 100, "pattern": NOT_BLANK}
SCOPE_LIST = {"type": "array", "items": {"enum": list(SCOPES)}}

create = Schema(
    {
        "title": "NewToken",
        "type": "object",
        "properties": {
            "name": NAME,
            "scopes": SCOPE_LIST | {"minItems": 1, "uniqueItems": True},
            "expires_at": MOMENT_OR_NULL | {"description": "In the future; null or left out: it does not expire."},
        },
        "required": ["name", "scopes"],
        "additionalProperties": False,
        "examples": [{"name": "Backup script", "scopes": ["tasks:read"], "expires_at": "2099-12-31T00:00:00Z"}],
    }
)
FIELDS = {
    "id": ID,
    "name": {"type": "string"},
    "scopes": SCOPE_LIST,
    "expires_at": MOMENT_OR_NULL,
    "last_used_at": MOMENT_OR_NULL | {"description": "To the minute; null: never."},
    "created_at": MOMENT,
}
shown = answer("Token", FIELDS)
created = answer(
    "TokenWithSecret",
    FIELDS
    | {
        "token": {
            "type": ["string", "null"],
            "description": "Shown this once only: null when an idempotency key brings the answer again.",
        }
    },
)
