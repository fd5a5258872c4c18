"""Texts with fields in them: `Dear {{ guest.name }}`, or, for who has none, `{{ guest.name | default: "friend" }}`.

A field is replaced by its value, once, and nothing else happens: no conditions, no loops, no code. What a value holds
is text, even where it looks like a field.
"""

import re
from collections.abc import Mapping

FIELDS = (
    "guest.name",
    "guest.email",
    "guest.role",
    "guest.link",
    "event.name",
    "event.place",
    "event.starts_at",
    "unsubscribe.link",
)
FIELD = re.compile(r'\{\{[ \t]*([\w.]+)[ \t]*(?:\|[ \t]*default:[ \t]*"([^"{}\n]*)"[ \t]*)?\}\}')


def faults(text: str) -> list[str]:
    """Why this is no good template, each in a sentence; none, if it is one."""
    unknown = sorted({name for name, _ in FIELD.findall(text)} - set(FIELDS))
    found = [f"there is no field {name}; these are: {', '.join(FIELDS)}" for name in unknown]
    rest = FIELD.sub("", text)
    if "{{" in rest or "}}" in rest:
        found.append('two braces are there for fields alone: {{ guest.name }} or {{ guest.name | default: "friend" }}')
    return found


def names(text: str) -> set[str]:
    """The fields that are in it."""
    return {name for name, _ in FIELD.findall(text)}


def render(text: str, values: Mapping[str, str]) -> str:
    """The text with the value of each field, or its default where that is empty. Raises KeyError."""
    return FIELD.sub(lambda field: values[field[1]] or field[2] or "", text)
