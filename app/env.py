"""Typed values out of the environment. A `Kind` says what a setting must be, and takes it or refuses it in one line
that names the setting."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.errors import ConfigError

FLAGS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
POSTGRESQL_FORM = re.compile(  # `postgres://` is the spelling that hosting services hand out
    r"postgres(?:ql)?(?:\+[a-z0-9]+)?://((?:[^@]*@)?(?:\[[0-9A-Fa-f:.]+\]|[^/:?@\s]*)(?::[0-9]{1,5})?(?:[/?].*)?)"
)
# Several processes share the database: one in memory is no use to them.
SQLITE_FORM = re.compile(r"sqlite:///(?!:memory:|\?).+")
DATABASE_HOST_FORM = re.compile(r"/.+|[^\s/?#@:\[\]]+")
SCHEMA_FORM = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,62}")  # PostgreSQL keeps pg_… for itself
URL_PATH_FORM = re.compile(r"/([A-Za-z0-9._~-]+/)+")
Default = Callable[[str, dict[str, Any], Mapping[str, str]], Any]  # (name, the settings before it, the environment)


@dataclass(frozen=True)
class Kind:
    """What a value must be, in words, and the function that makes it of a text or raises ValueError."""

    wanted: str
    parse: Callable[[str], Any]
    secret: bool = False  # a refusal does not repeat it

    def read(self, name: str, text: str) -> Any:
        try:
            return self.parse(text)
        except ValueError:
            got = "" if self.secret else f", got {text!r}"
            raise ConfigError(f"{name}: must be {self.wanted}{got}") from None


def setting(kind: Kind, default: Any = None) -> Any:
    """A dataclass field that `read_all` fills. `default` is a value, or a function of what was read before it."""
    return field(repr=not kind.secret, metadata={"kind": kind, "default": default})


def take(name: str, kind: Kind, default: Any, values: dict[str, Any], env: Mapping[str, str]) -> Any:
    """One setting; an empty one counts as unset."""
    given = env.get(name, "").strip()
    if "\0" in given or "\n" in given:
        raise ConfigError(f"{name}: must be a single line")
    if given:
        return kind.read(name, given)
    return default(name, values, env) if callable(default) else default


def _refuse(text: str) -> Any:
    raise ValueError(text)


def _parse_number(low: int, high: int) -> Callable[[str], int]:
    return lambda t: int(t) if t.isascii() and t.isdigit() and low <= int(t) <= high else _refuse(t)


def number(low: int, high: int) -> Kind:
    return Kind(f"a whole number from {low} to {high}", _parse_number(low, high))


def choice(*choices: str, change: Callable[[str], str] = str) -> Kind:
    return Kind(" or ".join(choices), lambda text: choices[choices.index(change(text))])


def _parse_database_url(text: str) -> str:
    """By hand: SQLAlchemy takes longer to import than some of our processes to do all they do."""
    found = POSTGRESQL_FORM.fullmatch(text)
    if found:
        return f"postgresql+psycopg://{found[1]}"
    return text if SQLITE_FORM.fullmatch(text) else _refuse(text)


def _parse_database_host(text: str) -> str:
    """As a URL wants it: an IPv6 address in brackets, whether it came with them or not."""
    if ":" in text and not text.startswith("/"):
        return f"[{IPv6Address(text.strip('[]'))}]"
    return text if DATABASE_HOST_FORM.fullmatch(text) else _refuse(text)


def _parse_storage_url(text: str) -> str:
    """How to reach the bucket, and as whom, is in the variables that all clients of S3 know: `AWS_…`."""
    parts = urlsplit(text)
    is_bucket = parts.scheme == "s3" and parts.netloc and parts.netloc == parts.hostname
    is_folder = parts.scheme == "file" and not parts.netloc and parts.path.strip("/")
    return text.rstrip("/") if (is_bucket or is_folder) and not (parts.query or parts.fragment) else _refuse(text)


def _parse_url(*schemes: str, needs_host: bool = True) -> Callable[[str], str]:
    def parse(text: str) -> str:
        parts = urlsplit(text)
        there = parts.hostname or (not needs_host and parts.path)
        if parts.scheme not in schemes or not there or parts.port == 0:  # .port raises for one that is none
            raise ValueError(text)
        return text.rstrip("/")

    return parse


TEXT = Kind("a line of text", str)
SECRET = Kind("a line of text", str, secret=True)
FLAG = Kind("true or false", lambda text: FLAGS[text.lower()] if text.lower() in FLAGS else _refuse(text))
PATH = Kind("a path", lambda text: Path(text).expanduser().absolute())
PORT = number(1, 65535)
URL_PATH = Kind("a path like /blobs/", lambda text: text if URL_PATH_FORM.fullmatch(text) else _refuse(text))
WEB_URL = Kind("an http:// or https:// URL", _parse_url("http", "https"))
SMTP_URL = Kind("an smtp:// or smtps:// URL", _parse_url("smtp", "smtps"), secret=True)
REDIS_URL = Kind(
    "a redis://, rediss:// or unix:// URL", _parse_url("redis", "rediss", "unix", needs_host=False), secret=True
)
STORAGE_URL = Kind("a file:///folder or s3://bucket/prefix URL", _parse_storage_url)
DATABASE_HOST = Kind("a host's name or address, or the folder of a socket", _parse_database_host)
SCHEMA = Kind(
    "a plain name of small letters, digits and _, at most 63, not pg_…",
    lambda text: text if SCHEMA_FORM.fullmatch(text) else _refuse(text),
)
DATABASE_URL = Kind("a postgresql:// or sqlite:///file URL", _parse_database_url, secret=True)
