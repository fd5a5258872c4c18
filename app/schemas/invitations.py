"""Invitations, as guests see them; and what they answer."""

from app.helpers.validation import Schema
from app.models.guest import STATUSES
from app.schemas.common import MOMENT_OR_NULL, answer

TEXT = {"type": "string"}
TEXT_OR_NULL = {"type": ["string", "null"]}
EVENT = {"name": TEXT, "starts_at": MOMENT_OR_NULL, "place": TEXT_OR_NULL}
GUEST = {"name": TEXT, "status": {"enum": list(STATUSES)}, "answered_at": MOMENT_OR_NULL}

shown = answer(
    "Invitation",
    {
        "event": answer("InvitationEvent", EVENT).schema,
        "guest": answer("InvitationGuest", GUEST).schema,
        "open": {"type": "boolean", "description": "Whether it can be answered: until the event begins."},
    },
)
given = Schema(
    {
        "title": "InvitationAnswer",
        "type": "object",
        "properties": {"answer": {"type": "string", "enum": ["accepted", "declined"]}},
        "required": ["answer"],
        "additionalProperties": False,
        "examples": [{"answer": "accepted"}],
    }
)
