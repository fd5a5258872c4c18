"""Every knob of the server: read once from the environment, validated, frozen.

A bad value raises `ConfigError`, whose message is the one line that the operator sees.
"""

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlsplit

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.errors import ConfigError

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent
FLAGS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104  # compared with, never bound to by default
SOCKET_PATH_LIMIT = 103  # bytes; sun_path holds 108 on Linux and 104 on macOS, its end mark included


@dataclass(frozen=True)
class Settings:
    """One attribute per environment variable, in lower case. Secrets stay out of `repr`."""

    app_env: str  # development | test | production
    debug: bool  # more logging; never Flask's debugger
    secret_key: str = field(repr=False)  # signs tokens
    host: str  # address the API listens on
    port: int  # port the API listens on
    public_url: str  # the address clients see, without a slash at the end
    root_dir: Path  # the project
    data_dir: Path  # database, Redis, mails, secrets
    log_dir: Path  # rotating logs
    database_url: URL = field(repr=False)  # SQLite under DATA_DIR unless set
    redis_url: str = field(repr=False)  # the local Redis unless set
    redis_is_local: bool  # True: supervisord runs Redis itself
    smtp_url: str | None = field(repr=False)  # None: mails become .eml files under DATA_DIR/mail
    mail_from: str  # sender of every mail
    workers: int  # worker processes
    web_concurrency: int  # web processes
    supervisor_port: int  # supervisord's own page, on 127.0.0.1
    supervisor_user: str  # the operator's name, for that page and /internal
    supervisor_password: str = field(repr=False)
    honeybadger_api_key: str | None = field(repr=False)  # None: nothing is reported
    honeybadger_endpoint: str
    honeybadger_environment: str
    log_level: str
    log_format: str  # text | json
    examples: bool  # the worked examples foo, bar, baz, fail
    max_body_bytes: int  # of a request that is no upload
    token_days: int  # how long a token is good
    job_retention_days: int  # how long a finished job is kept

    @property
    def is_production(self) -> bool:
        return self.app_env == "production"


class _Reader:
    """Takes typed values out of the environment; an empty value counts as unset."""

    def __init__(self, env: Mapping[str, str]):
        self.env = env

    def text(self, name: str, default: str | None = None) -> str | None:
        value = self.env.get(name, "").strip()
        if "\0" in value or "\n" in value:
            raise ConfigError(f"{name}: must be a single line")
        return value or default

    def read(self, name: str, default: T, parse: Callable[[str], T], wanted: str, secret: bool = False) -> T:
        value = self.text(name)
        if value is None:
            return default
        try:
            return parse(value)
        except (ValueError, ArgumentError):
            got = "" if secret else f", got {value!r}"
            raise ConfigError(f"{name}: must be {wanted}{got}") from None

    def number(self, name: str, default: int, low: int, high: int) -> int:
        return self.read(name, default, _between(low, high), f"a whole number from {low} to {high}")

    def flag(self, name: str, default: bool) -> bool:
        return self.read(name, default, _parse_flag, "true or false")

    def choice(self, name: str, default: str, choices: tuple[str, ...], change: Callable[[str], str] = str) -> str:
        return self.read(name, default, lambda v: choices[choices.index(change(v))], " or ".join(choices))

    def path(self, name: str, default: Path) -> Path:
        return Path(self.text(name) or default).expanduser().absolute()


def _between(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not (value.isascii() and value.isdigit() and low <= int(value) <= high):
            raise ValueError(value)
        return int(value)

    return parse


def _parse_flag(value: str) -> bool:
    if value.lower() not in FLAGS:
        raise ValueError(value)
    return FLAGS[value.lower()]


def load(env: Mapping[str, str] = os.environ) -> Settings:
    """Reads and checks all settings; in development, makes the secrets that are not given."""
    read = _Reader(env)
    app_env = read.choice("APP_ENV", "development", ("development", "test", "production"))
    data_dir = read.path("DATA_DIR", read.path("ROOT_DIR", ROOT) / "var")
    host, port = read.text("HOST", "127.0.0.1") or "", read.number("PORT", 5000, 1, 65535)
    redis_url = read.read("REDIS_URL", None, _parse_redis_url, "a redis://, rediss:// or unix:// URL", secret=True)
    default_public_url = f"http://{'127.0.0.1' if host in ANY_ADDRESS else host}:{port}"
    return Settings(
        app_env=app_env,
        debug=read.flag("DEBUG", False),
        secret_key=_secret(read, "SECRET_KEY", app_env, data_dir),
        host=host,
        port=port,
        public_url=read.read("PUBLIC_URL", default_public_url, _parse_web_url, "an http:// or https:// URL"),
        root_dir=read.path("ROOT_DIR", ROOT),
        data_dir=data_dir,
        log_dir=read.path("LOG_DIR", data_dir / "log"),
        database_url=_database_url(read, data_dir),
        redis_url=redis_url or _local_redis_url(data_dir),
        redis_is_local=redis_url is None,
        smtp_url=read.read("SMTP_URL", None, _parse_smtp_url, "an smtp:// or smtps:// URL", secret=True),
        mail_from=read.text("MAIL_FROM", "Accepted <accepted@localhost>") or "",
        workers=read.number("WORKERS", 2, 1, 64),
        web_concurrency=read.number("WEB_CONCURRENCY", 1, 1, 64),
        supervisor_port=read.number("SUPERVISOR_PORT", 9001, 1, 65535),
        supervisor_user=read.text("SUPERVISOR_USER", "operator") or "",
        supervisor_password=_secret(read, "SUPERVISOR_PASSWORD", app_env, data_dir),
        honeybadger_api_key=read.text("HONEYBADGER_API_KEY"),
        honeybadger_endpoint=read.read(
            "HONEYBADGER_ENDPOINT", "https://api.honeybadger.io", _parse_web_url, "an http:// or https:// URL"
        ),
        honeybadger_environment=read.text("HONEYBADGER_ENVIRONMENT", app_env) or "",
        log_level=read.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"), str.upper),
        log_format=read.choice("LOG_FORMAT", "text", ("text", "json")),
        examples=read.flag("EXAMPLES", app_env != "production"),
        max_body_bytes=read.number("MAX_BODY_BYTES", 1 << 20, 1024, 1 << 30),
        token_days=read.number("TOKEN_DAYS", 30, 1, 3650),
        job_retention_days=read.number("JOB_RETENTION_DAYS", 30, 1, 3650),
    )


_in_force: list[Settings] = []


def use(settings: Settings) -> None:
    """Makes these the settings of this process: `app/boot.py` calls it once, tests once an app."""
    _in_force[:] = [settings]


def settings() -> Settings:
    """The settings of this process."""
    return _in_force[0]


def _database_url(read: _Reader, data_dir: Path) -> URL:
    """`DATABASE_URL`, or one made of the `DB_…` settings, or SQLite under the data directory."""
    url = read.read("DATABASE_URL", None, _parse_database_url, "a postgresql:// or sqlite:/// URL", secret=True)
    if url is not None:
        return url
    kind = read.choice("DB_TYPE", "sqlite", ("sqlite", "postgresql"))
    if kind == "sqlite":
        return URL.create("sqlite", database=str(data_dir / "accepted.db"))
    return URL.create(
        "postgresql+psycopg",
        username=read.text("DB_USER"),
        password=read.text("DB_PASSWORD"),
        host=read.text("DB_HOST", "127.0.0.1"),
        port=read.number("DB_PORT", 5432, 1, 65535),
        database=read.text("DB_NAME", "accepted"),
    )


def _parse_database_url(value: str) -> URL:
    if value.startswith("postgres://"):  # the spelling that hosting services hand out
        value = "postgresql" + value.removeprefix("postgres")
    url = make_url(value)
    kind = url.get_backend_name()
    if kind == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if kind != "sqlite" or not url.database or url.database == ":memory:":
        raise ValueError("several processes share the database: it must be PostgreSQL or an SQLite file")
    return url


def _parse_redis_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("redis", "rediss", "unix") or not (parts.hostname or parts.path):
        raise ValueError(value)
    _ = parts.port  # raises for a port that is none
    return value


def _local_redis_url(data_dir: Path) -> str:
    path = data_dir / "redis" / "redis.sock"
    if len(os.fsencode(path)) > SOCKET_PATH_LIMIT:
        raise ConfigError(
            f"DATA_DIR: too long a path for Redis's socket ({len(os.fsencode(path))} bytes, at most "
            f"{SOCKET_PATH_LIMIT}): choose a shorter one, or set REDIS_URL"
        )
    return f"unix://{quote(str(path))}"


def _parse_web_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(value)
    return value.rstrip("/")


def _parse_smtp_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.port == 0:
        raise ValueError(value)
    return value


def _secret(read: _Reader, name: str, app_env: str, data_dir: Path) -> str:
    """The setting itself; in production it must be given, elsewhere it is made once and kept under DATA_DIR."""
    value = read.text(name)
    if value is not None:
        if app_env == "production" and len(value) < 16:
            raise ConfigError(f"{name}: must have at least 16 characters in production")
        return value
    if app_env == "production":
        raise ConfigError(f"{name}: must be set in production")
    return kept_secret(data_dir / "secrets" / name.lower())


def kept_secret(path: Path) -> str:
    """The secret in this file, made on first use. Processes that start together agree on one."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
            draft.touch(mode=0o600)
            draft.write_text(secrets.token_urlsafe(24) + "\n")
            try:
                os.link(draft, path)  # fails where another process was first: then theirs counts
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return path.read_text().strip()
    except OSError as error:
        raise ConfigError(f"DATA_DIR: can't keep secrets in {path.parent}: {error.strerror}") from None
