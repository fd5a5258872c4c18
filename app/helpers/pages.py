"""Lists: keyset pages of constant cost, filtered and sorted only by what a model lists."""

import base64
import binascii
from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Response, json, jsonify, request
from sqlalchemy import tuple_

from app.errors import ValidationFailed
from app.helpers.validation import parse_moment
from app.models import Model
from app.models.base import rfc3339

PAGE_SIZE = 50
LARGEST_PAGE = 200
OWN = ("page_size", "page_token", "sort")

Filters = dict[str, Callable[[str], dict[str, Any]]]  # query parameter → what it means to `smart_query`


def flag(name: str) -> Callable[[str], dict[str, Any]]:
    """A filter by a true-or-false attribute."""
    return lambda text: {name: {"true": True, "false": False}[text]}


def exactly(name: str) -> Callable[[str], dict[str, Any]]:
    return lambda text: {name: text}


def moment(name: str) -> Callable[[str], dict[str, Any]]:
    """A filter by a moment; `name` carries the operator: `due_at__lt`."""
    return lambda text: {name: parse_moment(text)}


def page(model: type[Model], fixed: dict[str, Any], filters: Filters, sort: str = "-created_at") -> Response:
    """The page that the query parameters ask for. `fixed` always holds: whose rows these are."""
    size = _size(request.args.get("page_size", str(PAGE_SIZE)))
    order = _sort(model, request.args.get("sort", sort))
    wanted = fixed | _filters(filters)
    name = order.lstrip("-")
    key = model.__mapper__.primary_key[0]
    query = model.smart_query(filters=wanted, sort_attrs=[order])
    column = getattr(model, name)
    if "page_token" in request.args:
        value, row_id = _read_token(order, request.args["page_token"])
        place = tuple_(column, key)
        query = query.filter(place < (value, row_id) if order.startswith("-") else place > (value, row_id))
    rows = query.order_by(key.desc() if order.startswith("-") else key.asc()).limit(size + 1).all()
    body: dict[str, Any] = {"items": [row.to_dict() for row in rows[:size]]}
    if len(rows) > size:
        last = rows[size - 1]
        body["next_page_token"] = _make_token(order, getattr(last, name), last.id)
    return jsonify(body)


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
            found |= filters[name](text)
        except (ValueError, KeyError):
            raise _refuse(name, "has a wrong value") from None
    return found


def _make_token(order: str, value: Any, row_id: Any) -> str:
    shown = rfc3339(value) if isinstance(value, datetime) else value
    return base64.urlsafe_b64encode(json.dumps([order, shown, row_id]).encode()).decode().rstrip("=")


def _read_token(order: str, token: str) -> tuple[Any, Any]:
    """The place that the token names; it must be of a list in the same order."""
    try:
        made_for, value, row_id = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        if made_for != order or type(row_id) not in (int, str) or type(value) not in (int, str):
            raise ValueError(token)
        return (parse_moment(value) if order.lstrip("-").endswith("_at") else value), row_id
    except (ValueError, TypeError, binascii.Error):
        raise _refuse("page_token", "is not one that this list gave, in this order") from None
