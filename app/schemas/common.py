"""What several resources' schemas share."""

from typing import Any

from app.helpers.validation import Schema

ID = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
MOMENT = {"type": "string", "format": "date-time"}
MOMENT_OR_NULL = {"type": ["string", "null"], "format": "date-time"}
IGNORED = {"description": "Ignored: the id in the path is definitive."}  # an id in the body of a PUT or PATCH


def answer(title: str, properties: dict[str, Any]) -> Schema:
    """The schema of an answer: every property is always there, and no other."""
    return Schema(
        {
            "title": title,
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
    )
