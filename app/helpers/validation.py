"""Is a value well formed: JSON Schemas (2020-12), compiled once, with all errors at once in words for people. Where the
value comes from – a request's body in `bodies.py`, a row of a table – does not matter here."""

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from email_validator import EmailNotValidError, validate_email
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from app.errors import ValidationFailed

MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
DEEPEST = 50  # levels of nesting
LONGEST_EMAIL = 254
formats = FormatChecker(formats=())


def parse_moment(text: str) -> datetime:
    """An RFC 3339 date-time as an aware moment in UTC; ValueError if it is none."""
    if not MOMENT.fullmatch(text):
        raise ValueError(text)
    try:
        return datetime.fromisoformat(text.upper().replace(" ", "T")).astimezone(UTC)
    except OverflowError:
        raise ValueError(text) from None


@formats.checks("date-time", raises=ValueError)
def _is_moment(value: Any) -> bool:
    return not isinstance(value, str) or bool(parse_moment(value))


@formats.checks("email", raises=EmailNotValidError)
def _is_email(value: Any) -> bool:
    # `.test` and `localhost` are what people try the server with; whether mail arrives is for the mail to say.
    if not isinstance(value, str):
        return True
    validate_email(value, check_deliverability=False, test_environment=True, globally_deliverable=False)
    return len(value.casefold()) <= LONGEST_EMAIL  # by which it is compared: some letters are three without case


class Schema:
    """A JSON Schema, ready to use. `schema` is the dict, which the documentation shows as it is."""

    def __init__(self, schema: dict[str, Any], *, status: int = ValidationFailed.status):
        """`title` in the dict is its name in the documentation. That it is a schema, the tests check."""
        self.schema = schema
        self.status = status  # of the refusal; sign-up answers 400
        self._validator = Draft202012Validator(schema, format_checker=formats)

    @property
    def name(self) -> str:
        return str(self.schema["title"])

    def check(self, value: Any) -> Any:
        """The value itself, or ValidationFailed with every error."""
        errors = [*_unstorable(value), *(told for error in self._validator.iter_errors(value) for told in _tell(error))]
        if errors:
            refusal = ValidationFailed(errors=sorted(errors, key=lambda e: (e["pointer"], e["detail"])))
            refusal.status = self.status
            raise refusal
        return value


def pointer(path: Any) -> str:
    """A JSON Pointer in URI fragment form: `#/guests/0/email`."""
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return "#" + "".join("/" + quote(part, safe="~!$&'()*+,;=:@", errors="surrogatepass") for part in parts)


def _unstorable(value: Any, path: tuple[Any, ...] = ()) -> list[dict[str, str]]:
    """Text that no database takes: NUL, and halves of surrogate pairs. And nesting without sense."""
    if len(path) > DEEPEST:
        return [{"detail": "is nested too deeply", "pointer": pointer(path)}]
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
            return [{"detail": "must not contain NUL or broken characters", "pointer": pointer(path)}]
    elif isinstance(value, dict):
        return [
            e for name, part in value.items() for e in (*_unstorable(name, path), *_unstorable(part, (*path, name)))
        ]
    elif isinstance(value, list):
        return [e for index, part in enumerate(value) for e in _unstorable(part, (*path, index))]
    return []


NAMES = {"string": "text", "boolean": "true or false", "integer": "a whole number", "number": "a number"}
NAMES |= {"null": "null", "object": "an object", "array": "a list"}
FORMATS = {"date-time": "a date and time with a zone, like 2026-11-21T13:30:00Z", "email": "an e-mail address"}


def _tell(error: ValidationError) -> list[dict[str, str]]:
    """One schema error in words; a missing or unknown field is told at its own place."""
    path, kind = list(error.absolute_path), error.validator
    limit: Any = error.validator_value
    instance: Any = error.instance
    if kind == "required":
        missing = [name for name in limit if name not in instance and error.message.startswith(repr(name))]
        return [{"detail": "is required", "pointer": pointer([*path, name])} for name in missing]
    if kind == "additionalProperties":
        schema: Any = error.schema
        unknown = sorted(set(instance) - set(schema.get("properties", {})))
        return [{"detail": "is not a known field", "pointer": pointer([*path, name])} for name in unknown]
    return [{"detail": _sentence(kind, limit, error), "pointer": pointer(path)}]


def _sentence(kind: Any, limit: Any, error: ValidationError) -> str:
    match kind:
        case "type":
            kinds = [limit] if isinstance(limit, str) else limit
            return "must be " + " or ".join(NAMES.get(name, name) for name in kinds)
        case "minLength":
            return "must not be empty" if limit == 1 else f"must have at least {limit} characters"
        case "maxLength":
            return f"must have at most {limit} characters"
        case "pattern":
            return PATTERNS.get(limit, "has a wrong form")
        case "format":
            return f"must be {FORMATS.get(limit, limit)}"
        case "enum":
            return "must be one of " + ", ".join(map(str, limit))
        case "minimum":
            return f"must be at least {limit}"
        case "maximum":
            return f"must be at most {limit}"
        case "minProperties":
            return "must name at least one field"
        case _:
            return str(error.message)


NOT_BLANK = r"\S"
# Any language, but no control characters and no line breaks: names go into the headers of mails. The end says what
# Python's `$` leaves open.
ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$(?!\n)"
FILLED_LINE = r"^(?=.*\S)[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$(?!\n)"  # not blank, either
PATTERNS = {
    NOT_BLANK: "must not be blank",
    ONE_LINE: "must be one line, without control characters",
    FILLED_LINE: "must be one line, not blank, without control characters",
}
