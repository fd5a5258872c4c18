"""Bodies of the worked examples."""

from app.helpers.validation import Schema
from app.schemas.common import answer

bar = Schema(
    {
        "title": "Bar",
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 100},
            "age": {"type": "integer", "minimum": 0},
        },
        "required": ["name"],
        "additionalProperties": False,
        "examples": [{"name": "Ada", "age": 36}],
    }
)
baz = Schema(
    {
        "title": "Baz",
        "type": "object",
        "properties": {"to": {"type": "integer", "minimum": 1, "maximum": 1000}},
        "additionalProperties": False,
        "examples": [{"to": 10}],
    }
)
hello = answer("Hello", {"hello": {"type": "string"}})
foo_v1 = answer("FooV1", {"foo": {"const": "bar"}, "version": {"const": 1}})
foo_v2 = answer("FooV2", {"foo": answer("FooName", {"name": {"const": "bar"}}).schema, "version": {"const": 2}})
