"""Takes secrets out of whatever is about to leave the house: alerts above all.

Works on plain data of any depth and makes a JSON-safe copy; what to send in the first place is not decided here.
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

FILTERED = "[FILTERED]"
MAX_TEXT, MAX_ITEMS, MAX_DEPTH = 8_000, 200, 12
MAX_JSON = 60_000  # of all values together; the collector refuses notices of more than 256 kB

_NAMES = (
    "password passwd passphrase pwd secret token authorization authorisation cookie api_?key access_?key private_?key "
    "credit card_?number cvv credential signature csrf xsrf session_?id"
).replace("_?", "[-_.]?")
_NAME = rf"(?:{'|'.join(_NAMES.split())})"
_SENSITIVE_KEY = re.compile(_NAME, re.IGNORECASE)
# Repetitions are bounded, or start where a word does: a hostile text must not cost more than milliseconds.
_TEXT_RULES = [
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (r"(://)(?:[^\s/?#:@]{0,200}:[^\s\"'<>]{0,300}|[^\s/?#@]{0,300})@", rf"\1{FILTERED}@"),  # user:password@
        (r"\b(bearer|basic)(?:\s+|%20|\+)[\w.~+/%-]{6,}=*", rf"\1 {FILTERED}"),
        # A signed token: what it says, perhaps a header, and a signature, which no class or function is named like.
        (r"(?<![\w-])[\w-]{4,}(?:\.[\w-]{2,})?\.(?=[\w-]*(?-i:[0-9]|[A-Z]{2}))[\w-]{25,}", FILTERED),
        (r"(?<![\w-])eyJ[\w-]{6,}\.[\w-]{4,}\.?", FILTERED),  # a JSON Web Token without a signature
        (r"(?<![\w-])(?:whsec|sk|pk|acc|aci|acl|acr|acu)_[\w.+/=-]{8,}", FILTERED),  # ours: tokens, links, codes
        (r"\b((?:set-)?cookie|authori[sz]ation)([\"']?\s{0,5}[:=]\s{0,5})[^\r\n]+", rf"\1\2{FILTERED}"),
        (
            rf"({_NAME}[\w.%-]{{0,40}}[\"']?\s{{0,5}}(?:=>|[:=]|%3d|%3a)\s{{0,5}})"
            r"(?!\[FILTERED)b?(?:\"(?:\\.|[^\"\\])*\"?|'(?:\\.|[^'\\])*'?|[^\s,;&)}\]\"']+)",
            rf"\1{FILTERED}",
        ),
    )
]


def fit(values: dict[str, Any]) -> dict[str, Any]:
    """Leaves out the largest values until the rest is short enough to be sent."""
    sizes = {name: len(json.dumps(value)) for name, value in values.items()}
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        if sum(sizes.values()) <= MAX_JSON:
            break
        sizes[name] = 0
    return {name: value if sizes[name] else "[TOO LONG]" for name, value in values.items()}


def is_sensitive(key: str) -> bool:
    """Whether a value under this name is never to be shown, whatever it is."""
    return _SENSITIVE_KEY.search(key) is not None


class Scrubber:
    """Knows, beside the rules above, the very secrets of this server, and removes them wherever they stand."""

    def __init__(self, secrets: Iterable[str | None] = ()):
        # Shorter ones would hit ordinary words, and are refused in production anyway.
        known = sorted({secret for secret in secrets if secret and len(secret) >= 8}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def text(self, value: str) -> str:
        """The text without the secrets in it."""
        if len(value) > MAX_TEXT:
            # Cut in front of the rules, so that their time is bounded, and at a gap, so that no half secret is left.
            value = re.sub(r"\S+\Z", "", value[:MAX_TEXT]) + " …"
        if self._known:
            value = self._known.sub(FILTERED, value)
        for pattern, replacement in _TEXT_RULES:
            value = pattern.sub(replacement, value)
        return value

    def data(self, value: Any, depth: int = 0) -> Any:
        """A copy made of dicts, lists, strings, numbers, booleans and None alone, without the secrets in it."""
        if value is None or isinstance(value, bool | int | float):
            return value if not isinstance(value, Enum) else value.value
        if isinstance(value, str):
            return self.text(str(value))
        if depth >= MAX_DEPTH:  # deeper, or a structure that holds itself
            return "…"
        if isinstance(value, Mapping):
            pairs = list(value.items())[:MAX_ITEMS]
            return {self.text(_name(key)): self._entry(_name(key), item, depth) for key, item in pairs}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.data(item, depth + 1) for item in list(value)[:MAX_ITEMS]]
        return self._other(value)

    def _entry(self, key: str, value: Any, depth: int) -> Any:
        return FILTERED if is_sensitive(key) and value is not None else self.data(value, depth + 1)

    def _other(self, value: Any) -> str:
        if isinstance(value, bytes | bytearray | memoryview):
            return self.text(bytes(value).decode("utf-8", "backslashreplace"))
        if isinstance(value, date | timedelta | Decimal | UUID | PurePath | Enum):
            return self.text(str(value))
        if isinstance(value, BaseException):
            return self.text(f"{type(value).__name__}: {value}")
        # Anything else by its type alone: its repr might show a secret, or ask the database.
        return f"<{type(value).__name__}>"


def _name(key: Any) -> str:
    return key.decode("utf-8", "backslashreplace") if isinstance(key, bytes) else str(key)
