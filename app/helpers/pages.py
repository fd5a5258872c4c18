"""Lists: keyset pages of constant cost, filtered and sorted only by what a model and its controller list."""

import base64
import binascii
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response, json, jsonify, request
from sqlalchemy import ColumnElement, Uuid, or_, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from app.errors import ValidationFailed
from app.helpers.validation import parse_moment
from app.models import Model
from app.models.base import LARGEST_ID, UtcDateTime, rfc3339

PAGE_SIZE = 50
LARGEST_PAGE = 200
LONGEST_TEXT = 200  # of a filter
SEARCH = "search"  # in what a filter gives: no attribute, but a condition as it is
OWN = ("page_size", "page_token", "sort")


@dataclass(frozen=True)
class Filter:
    """A query parameter: what `smart_query` makes of its text, and how the documentation describes it."""

    parse: Callable[[str], dict[str, Any]]
    schema: dict[str, Any]


Filters = dict[str, Filter]


def flag(name: str) -> Filter:
    return Filter(lambda text: {name: {"true": True, "false": False}[text]}, {"type": "boolean"})


def exactly(name: str, *choices: str) -> Filter:
    """Equal to this text; one of `choices`, if there are any."""

    def parse(text: str) -> dict[str, Any]:
        if text not in choices if choices else len(text) > LONGEST_TEXT:
            raise ValueError(text)
        return {name: text}

    return Filter(parse, {"type": "string", **({"enum": list(choices)} if choices else {"maxLength": LONGEST_TEXT})})


def number(name: str) -> Filter:
    return Filter(lambda text: {name: _row_number(int(text))}, {"type": "integer", "minimum": 1, "maximum": LARGEST_ID})


def moment(name: str) -> Filter:
    """`name` carries the operator: `due_at__lt`."""
    return Filter(lambda text: {name: parse_moment(text)}, {"type": "string", "format": "date-time"})


def contains(*columns: InstrumentedAttribute[Any]) -> Filter:
    """One of these columns has the text in it, in whatever case. No pattern: `%` is a percent sign."""

    def parse(text: str) -> dict[str, Any]:
        if not 0 < len(text) <= LONGEST_TEXT:
            raise ValueError(text)
        return {SEARCH: or_(*(column.icontains(text, autoescape=True) for column in columns))}

    return Filter(parse, {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT})


def page(model: type[Model], filters: Filters, sort: str, *conditions: ColumnElement[bool], **fixed: Any) -> Response:
    """The page that the query parameters ask for. `conditions` and `fixed` always hold: whose rows these are."""
    size = _size(request.args.get("page_size", str(PAGE_SIZE)))
    order = _sort(model, request.args.get("sort", sort))
    column, key = _order_column(model, order), model.__mapper__.primary_key[0]
    wanted = fixed | _filters(filters)
    search = [wanted.pop(SEARCH)] if SEARCH in wanted else []
    query = model.smart_query(filters=wanted).filter(*conditions, *search)
    place: Any = tuple_(column, key)
    if "page_token" in request.args:
        after = _read_token(model, order, request.args["page_token"])
        query = query.filter(place < after if order.startswith("-") else place > after)
    ends = [end.desc() if order.startswith("-") else end.asc() for end in (column, key)]
    rows = query.with_entities(model, column).order_by(*ends).limit(size + 1).all()
    body: dict[str, Any] = {"items": [row.to_dict() for row, _ in rows[:size]]}
    if len(rows) > size:
        last, value = rows[size - 1]
        body["next_page_token"] = _make_token(order, value, last.id)
    return jsonify(body)


def _order_column(model: type[Model], order: str) -> ColumnElement[Any]:
    name = order.removeprefix("-")
    return model.__mapper__.columns[model.SORT_COLUMNS.get(name, name)]


def _refuse(parameter: str, detail: str) -> ValidationFailed:
    return ValidationFailed(
        "A query parameter does not fit: see `errors`.", errors=[{"detail": detail, "parameter": parameter}]
    )


def _size(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not int(text[:9]) >= 1:
        raise _refuse("page_size", f"must be a whole number from 1 to {LARGEST_PAGE}")
    return min(int(text[:9]), LARGEST_PAGE)


def _sort(model: type[Model], text: str) -> str:
    if text.removeprefix("-") not in model.SORTS:
        raise _refuse("sort", "must be one of " + ", ".join(model.SORTS) + ", with - in front for descending")
    return text


def _filters(filters: Filters) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, text in request.args.items():
        if name in OWN:
            continue
        if name not in filters:
            raise _refuse(name, "is not a known parameter; these are: " + ", ".join([*OWN, *filters]))
        try:
            if "\0" in text:
                raise ValueError(text)
            found |= filters[name].parse(text)
        except (ValueError, KeyError):
            raise _refuse(name, "has a wrong value") from None
    return found


def _make_token(order: str, value: Any, row_id: Any) -> str:
    shown = rfc3339(value) if isinstance(value, datetime) else value
    return base64.urlsafe_b64encode(json.dumps([order, shown, row_id]).encode()).decode().rstrip("=")


def _read_token(model: type[Model], order: str, token: str) -> tuple[Any, Any]:
    """The place that the token names; it must be of a list in the same order."""
    key = model.__mapper__.primary_key[0]
    try:
        made_for, value, row_id = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        if made_for != order:
            raise ValueError(token)
        return _of_type(_order_column(model, order).type, value), _of_type(key.type, row_id)
    except (ValueError, TypeError, AttributeError, binascii.Error):
        raise _refuse("page_token", "is not one that this list gave, in this order") from None


def _of_type(kind: Any, value: Any) -> Any:
    """What a client sent as a column's value, or ValueError: it must not reach the database as something else."""
    if isinstance(kind, UtcDateTime):
        return parse_moment(value)
    if isinstance(kind, Uuid):
        return str(uuid.UUID(value))
    return _row_number(value)


def _row_number(value: Any) -> int:
    if type(value) is not int or not 0 < value <= LARGEST_ID:
        raise ValueError(value)
    return value
