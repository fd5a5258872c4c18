"""What a view takes and gives, said once, above it. The same words check requests here and make the OpenAPI document
in openapi.py, so that the two can't disagree.

    @bp.put("/<int:task_id>")
    @takes(schemas.replace)
    @gives(200, schemas.shown)
    def replace(task_id: int, body: dict[str, Any]) -> Response:
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any, TypeVar

from app.errors import AppError
from app.helpers.bodies import read_body, read_form
from app.helpers.pages import Filters, page
from app.helpers.validation import Schema
from app.models import Model

View = TypeVar("View", bound=Callable[..., Any])


@dataclass
class Answer:
    status: int
    schema: Schema | None = None
    headers: tuple[str, ...] = ()
    media_types: tuple[str, ...] = ("application/json",)


@dataclass
class Declared:
    """Everything that was said above one view."""

    body: Schema | None = None
    takes_form: bool = False
    needs_body: bool = True
    takes_file: bool = False
    answers: list[Answer] = field(default_factory=list)
    raises: list[type[AppError]] = field(default_factory=list)
    filters: Filters | None = None
    sorts: tuple[str, ...] = ()


def declared(view: Any) -> Declared:
    """What was said above this view; a view that says nothing declares nothing."""
    if not hasattr(view, "declared"):
        view.declared = Declared()
    found: Declared = view.declared
    return found


def takes(schema: Schema, *, needed: bool = True) -> Callable[[View], View]:
    """The view gets the checked JSON body as `body`. One that is not needed may be left out, and is then `{}`."""
    return _takes(schema, partial(read_body, needed=needed), needed)


def takes_form(schema: Schema) -> Callable[[View], View]:
    """The view gets the checked fields of a form as `body`; JSON will do, too."""

    def decorate(view: View) -> View:
        checked = _takes(schema, read_form, "required" in schema.schema)(view)
        declared(checked).takes_form = True
        return checked

    return decorate


def _takes(schema: Schema, read: Callable[[Schema], Any], needed: bool) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Any:
            return view(*args, body=read(schema), **kwargs)

        said = declared(checked)
        said.body, said.needs_body = schema, needed
        return checked  # type: ignore[return-value]

    return decorate


def gives(
    status: int,
    schema: Schema | None = None,
    *headers: str,
    media_type: str | tuple[str, ...] = "application/json",
) -> Callable[[View], View]:
    """One answer of the view, for the documentation."""
    media_types = (media_type,) if isinstance(media_type, str) else media_type

    def decorate(view: View) -> View:
        declared(view).answers.insert(0, Answer(status, schema, headers, media_types))
        return view

    return decorate


def raises(*kinds: type[AppError]) -> Callable[[View], View]:
    """Problems beyond those that follow from what the view takes."""

    def decorate(view: View) -> View:
        declared(view).raises.extend(kinds)
        return view

    return decorate


def lists(model: type[Model], item: Schema, filters: Filters, sort: str = "-created_at") -> Callable[[View], View]:
    """The view gets `page`, which it calls with what always holds: `page(user_id=g.actor.id)`."""

    def decorate(view: View) -> View:
        @wraps(view)
        def paged(*args: Any, **kwargs: Any) -> Any:
            return view(*args, page=partial(page, model, filters, sort), **kwargs)

        said = declared(paged)
        said.filters, said.sorts = filters, model.SORTS
        said.answers.append(Answer(200, _page_of(item)))
        return paged  # type: ignore[return-value]

    return decorate


def _page_of(item: Schema) -> Schema:
    return Schema(
        {
            "title": f"{item.name}Page",
            "type": "object",
            "properties": {
                "items": {"type": "array", "items": item.schema},
                "next_page_token": {"type": "string", "description": "Absent on the last page."},
            },
            "required": ["items"],
            "additionalProperties": False,
        }
    )
