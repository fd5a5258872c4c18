"""Every knob of the server: read once from the environment, validated, frozen.

A bad value raises `ConfigError`, whose message is the one line that the operator sees.
"""

import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import quote

from app import env as kinds
from app.env import Default, Kind, setting, take
from app.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent
ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104  # compared with, never bound to by default
SOCKET_PATH_LIMIT = 103  # bytes; sun_path holds 108 on Linux and 104 on macOS, its end mark included
SHORTEST_SECRET = 16  # in production
RATE_FORM = re.compile(r"[1-9][0-9]{0,8}/(second|minute|hour|day)")
ORIGIN_FORM = re.compile(r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?")
Network = IPv4Network | IPv6Network


def _parse_rate(text: str) -> str | None:
    if text.lower() == "off":
        return None
    if not RATE_FORM.fullmatch(text):
        raise ValueError(text)
    return text


def _parse_origin(text: str) -> str:
    """As browsers send it: in lower case, without the port that its scheme has anyway."""
    origin = text.lower()
    if not ORIGIN_FORM.fullmatch(origin):
        raise ValueError(text)
    return origin.removesuffix(":443" if origin.startswith("https:") else ":80")


def _list_of(parse_one: Callable[[str], Any]) -> Callable[[str], tuple[Any, ...]]:
    return lambda text: tuple(parse_one(part.strip()) for part in text.split(","))


RATE = Kind("a rate like 100/minute (second, minute, hour or day), or off", _parse_rate)
ORIGINS = Kind("origins like https://app.example.com, separated by commas", _list_of(_parse_origin))
NETWORKS = Kind("addresses or networks like 10.0.0.0/8, separated by commas", _list_of(ip_network))


def _rate(elsewhere: str, in_production: str) -> Default:
    """None in tests. On a developer's machine everything comes from one address, and often from one account."""
    rates = {"test": None, "development": elsewhere, "production": in_production}
    return lambda _, known, __: rates[known["app_env"]]


def _public_url(_name: str, known: dict[str, Any], _env: Mapping[str, str]) -> str:
    return f"http://{'127.0.0.1' if known['host'] in ANY_ADDRESS else known['host']}:{known['port']}"


def _database_url(_name: str, known: dict[str, Any], env: Mapping[str, str]) -> str:
    """One made of the `DB_…` settings, or SQLite under the data directory."""

    def part(name: str, kind: kinds.Kind = kinds.TEXT, default: Any = None) -> Any:
        return take(name, kind, default, known, env)

    if part("DB_TYPE", kinds.choice("sqlite", "postgresql"), "sqlite") == "sqlite":
        return f"sqlite:///{quote(str(known['data_dir'] / 'accepted.db'))}"
    user, password = part("DB_USER", default=""), part("DB_PASSWORD", kinds.SECRET, "")
    login = quote(user, safe="") + (":" + quote(password, safe="") if password else "")
    host, port = part("DB_HOST", kinds.DATABASE_HOST, "127.0.0.1"), part("DB_PORT", kinds.PORT, 5432)
    name = quote(part("DB_NAME", default="accepted"), safe="")
    if host.startswith("/"):  # the directory of a socket
        return f"postgresql+psycopg://{login}@/{name}?host={quote(host, safe='')}&port={port}"
    return f"postgresql+psycopg://{login}@{host}:{port}/{name}"


def _storage_url(_name: str, known: dict[str, Any], _env: Mapping[str, str]) -> str:
    return f"file://{quote(str(known['data_dir'] / 'files'))}"


def _local_redis_url(_name: str, known: dict[str, Any], _env: Mapping[str, str]) -> str:
    path = known["data_dir"] / "redis" / "redis.sock"
    if len(os.fsencode(path)) > SOCKET_PATH_LIMIT:
        raise ConfigError(
            f"DATA_DIR: too long a path for Redis's socket ({len(os.fsencode(path))} bytes, at most "
            f"{SOCKET_PATH_LIMIT}): choose a shorter one, or set REDIS_URL"
        )
    return f"unix://{quote(str(path))}"


def _made_secret(name: str, known: dict[str, Any], _env: Mapping[str, str]) -> str:
    """In production it must be given; elsewhere it is made once and kept under DATA_DIR."""
    if known["app_env"] == "production":
        raise ConfigError(f"{name}: must be set in production")
    return kept_secret(known["data_dir"] / "secrets" / name.lower())


@dataclass(frozen=True)
class Settings:
    """An attribute for each environment variable, in lower case. Secrets stay out of `repr`."""

    app_env: str = setting(kinds.choice("development", "test", "production"), "development")
    debug: bool = setting(kinds.FLAG, False)  # more logging; never Flask's debugger
    host: str = setting(kinds.TEXT, "127.0.0.1")  # the address the API listens on
    port: int = setting(kinds.PORT, 5000)
    public_url: str = setting(kinds.WEB_URL, _public_url)  # the address that clients see
    root_dir: Path = setting(kinds.PATH, ROOT)  # the project
    data_dir: Path = setting(kinds.PATH, lambda _, known, __: known["root_dir"] / "var")  # database, Redis, mails
    log_dir: Path = setting(kinds.PATH, lambda _, known, __: known["data_dir"] / "log")  # rotating logs
    secret_key: str = setting(kinds.SECRET, _made_secret)  # signs tokens
    database_url: str = setting(kinds.DATABASE_URL, _database_url)  # or DB_TYPE, DB_USER …; SQLite unless set
    db_schema: str | None = setting(kinds.SCHEMA)  # PostgreSQL's, for all our tables; unset: its default
    storage_url: str = setting(kinds.STORAGE_URL, _storage_url)  # or s3://bucket/prefix; unset: DATA_DIR/files
    redis_url: str = setting(kinds.REDIS_URL, _local_redis_url)  # the local Redis unless set
    smtp_url: str | None = setting(kinds.SMTP_URL)  # unset: mails become .eml files under DATA_DIR/mail
    smtp_connections: int = setting(kinds.number(1, 32), 4)  # that a campaign is sent through at the same time
    mail_from: str = setting(kinds.TEXT, "Accepted <accepted@localhost>")  # the sender of every mail
    workers: int = setting(kinds.number(1, 64), 2)  # worker processes
    worker_memory_mb: int = setting(kinds.number(64, 1 << 20), 1024)  # MiB that a job's process may use
    web_concurrency: int = setting(kinds.number(1, 64), 1)  # web processes
    supervisor_port: int = setting(kinds.PORT, 9001)  # supervisord's own page, on 127.0.0.1
    supervisor_user: str = setting(kinds.TEXT, "operator")  # the operator's name, for that page and /internal
    supervisor_password: str = setting(kinds.SECRET, _made_secret)
    honeybadger_api_key: str | None = setting(kinds.SECRET)  # unset: nothing is reported
    honeybadger_endpoint: str = setting(kinds.WEB_URL, "https://api.honeybadger.io")
    honeybadger_environment: str = setting(kinds.TEXT, lambda _, known, __: known["app_env"])
    log_level: str = setting(kinds.choice("DEBUG", "INFO", "WARNING", "ERROR", change=str.upper), "INFO")
    log_format: str = setting(kinds.choice("text", "json"), "text")
    examples: bool = setting(kinds.FLAG, lambda _, known, __: known["app_env"] != "production")  # foo, bar, baz, fail
    max_body_bytes: int = setting(kinds.number(1024, 1 << 30), 1 << 20)  # of a request that is no upload
    max_upload_bytes: int = setting(kinds.number(1, 1 << 40), 5 << 30)  # of one file
    upload_quota_bytes: int = setting(kinds.number(1, 1 << 50), 20 << 30)  # of an account's files together
    x_accel_prefix: str | None = setting(kinds.URL_PATH)  # where nginx has STORAGE_URL's folder: then it sends files
    rate_limit: str | None = setting(RATE, _rate("6000/minute", "1000/minute"))  # per account; off: no limits
    rate_limit_address: str | None = setting(RATE, _rate("600/minute", "20/minute"))  # sign-in and the like
    rate_limit_sign_in: str | None = setting(RATE, _rate("120/minute", "30/minute"))  # per e-mail address
    rate_limit_reset: str | None = setting(RATE, _rate("60/minute", "5/hour"))  # mails per e-mail address
    trusted_proxies: tuple[Network, ...] = setting(NETWORKS, lambda *_: ())  # whose X-Forwarded-For is believed
    cors_origins: tuple[str, ...] = setting(ORIGINS, lambda *_: ())  # sites whose pages may call the API
    token_days: int = setting(kinds.number(1, 3650), 30)  # how long a token is good
    job_retention_days: int = setting(kinds.number(1, 3650), 30)  # how long a finished job is kept

    @property
    def is_production(self) -> bool:
        return self.app_env == "production"

    @property
    def redis_is_local(self) -> bool:
        """Whether supervisord runs Redis itself."""
        return self.redis_url == _local_redis_url("", {"data_dir": self.data_dir}, {})


def load(env: Mapping[str, str] = os.environ) -> Settings:
    """Reads and checks all settings; in development, makes the secrets that are not given."""
    known: dict[str, Any] = {}
    for one in fields(Settings):
        name = one.name.upper()
        known[one.name] = take(name, one.metadata["kind"], one.metadata["default"], known, env)
    settings = Settings(**known)
    for name in ("secret_key", "supervisor_password"):
        if settings.is_production and len(getattr(settings, name)) < SHORTEST_SECRET:
            raise ConfigError(f"{name.upper()}: must have at least {SHORTEST_SECRET} characters in production")
    if settings.db_schema and settings.database_url.startswith("sqlite"):
        raise ConfigError("DB_SCHEMA: only PostgreSQL has schemas: unset it, or set DATABASE_URL or DB_TYPE")
    return settings


_in_force: list[Settings] = []


def use(settings: Settings) -> None:
    """Makes these the settings of this process: `app/boot.py` calls it once, tests once an app."""
    _in_force[:] = [settings]


def settings() -> Settings:
    """The settings of this process."""
    return _in_force[0]


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
