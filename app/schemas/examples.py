"""Bodies of the worked examples bar and baz."""

from app.helpers.validation import Schema

bar = Schema(
    {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 100},
            "age": {"type": "integer", "minimum": 0},
        },
        "required": ["name"],
        "additionalProperties": False,
    }
)
baz = Schema(
    {
        "type": "object",
        "properties": {"to": {"type": "integer", "minimum": 1, "maximum": 1000}},
        "additionalProperties": False,
    }
)
