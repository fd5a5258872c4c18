"""The body of a request, read as JSON or a form and held against its schema."""

from typing import Any

from flask import json, request

from app.config import settings
from app.errors import MalformedJson, PayloadTooLarge, UnsupportedMediaType
from app.helpers.validation import Schema


def read_body(schema: Schema, *, needed: bool = True) -> Any:
    """The request's JSON body, if it fits. Unless it is needed, nothing at all is an empty object."""
    if not needed and not request.content_length and not request.get_data():
        return schema.check({})
    if request.mimetype != "application/json" and not request.mimetype.endswith("+json"):
        raise UnsupportedMediaType
    limit = settings().max_body_bytes
    if (request.content_length or 0) > limit:
        raise PayloadTooLarge(max_bytes=limit)
    try:
        body = json.loads(request.get_data().decode("utf-8"), parse_constant=_refuse_constant, parse_float=_parse_float)
    except (ValueError, RecursionError):
        raise MalformedJson from None
    return schema.check(body)


def read_form(schema: Schema) -> Any:
    """The fields of the request's form, or its JSON body, if they fit."""
    return read_body(schema) if request.is_json else schema.check(request.form.to_dict())


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _parse_float(text: str) -> int | float:
    """In JSON 1.0 and 1 are one number; the database, and the fingerprint of a request, want to see one."""
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < 2**53 else number
