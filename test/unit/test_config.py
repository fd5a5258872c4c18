"""Settings: read once, checked, and a bad one is one line that names it."""

import pytest
from sqlalchemy.engine import make_url

from app.config import Settings, kept_secret, load
from app.errors import ConfigError

PRODUCTION = {"APP_ENV": "production", "SECRET_KEY": "k" * 32, "SUPERVISOR_PASSWORD": "p" * 32}


def read(tmp_path, **env: str) -> Settings:
    return load({"DATA_DIR": str(tmp_path), **env})


def test_defaults(tmp_path):
    settings = read(tmp_path)
    assert (settings.app_env, settings.host, settings.port, settings.workers) == ("development", "127.0.0.1", 5000, 2)
    assert settings.database_url == f"sqlite:///{tmp_path}/accepted.db"
    assert settings.redis_url == f"unix://{tmp_path}/redis/redis.sock"
    assert settings.log_dir == tmp_path / "log"
    assert settings.public_url == "http://127.0.0.1:5000"
    assert settings.debug is False
    assert settings.examples is True


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("APP_ENV", "prod"),
        ("PORT", "abc"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "５"),
        ("WORKERS", "0"),
        ("DEBUG", "perhaps"),
        ("DATABASE_URL", "mysql://x/y"),
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "sqlite:///?mode=ro"),
        ("DATABASE_URL", "postgresql://u:p@h:port/d"),
        ("DATABASE_URL", "postgresql://u@h@i/d"),
        ("DB_TYPE", "oracle"),
        ("DB_SCHEMA", "Ours"),
        ("DB_SCHEMA", "a,b"),
        ("DB_SCHEMA", "pg_ours"),
        ("DB_SCHEMA", "1st"),
        ("DB_SCHEMA", "a" * 64),
        ("REDIS_URL", "http://localhost"),
        ("REDIS_URL", "redis://localhost:port"),
        ("SMTP_URL", "localhost"),
        ("PUBLIC_URL", "example.com"),
        ("HONEYBADGER_ENDPOINT", "ftp://x"),
        ("X_ACCEL_PREFIX", "blobs/"),
        ("X_ACCEL_PREFIX", "/blobs"),
        ("X_ACCEL_PREFIX", "/"),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_FORMAT", "xml"),
        ("SUPERVISOR_PORT", "x"),
        ("SECRET_KEY", "a\nb"),
    ],
)
def test_bad_value_is_one_line_that_names_the_setting(tmp_path, name, value):
    with pytest.raises(ConfigError) as refusal:
        read(tmp_path, **{name: value})
    assert str(refusal.value).startswith(f"{name}: must be ")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("value", ["False", "false", "0", "no", "off", ""])
def test_debug_off_really_means_off(tmp_path, value):
    assert read(tmp_path, DEBUG=value).debug is False


@pytest.mark.parametrize(
    ("name", "value"),
    [("DB_HOST", "h/x"), ("DB_HOST", "u@h"), ("DB_HOST", "db:5432"), ("DB_HOST", "a b"), ("DB_PORT", "x")],
)
def test_bad_part_of_the_database_is_one_line(tmp_path, name, value):
    with pytest.raises(ConfigError, match=f"^{name}: must be "):
        read(tmp_path, DB_TYPE="postgresql", **{name: value})


def test_secrets_never_appear_in_a_refusal_or_a_repr(tmp_path):
    with pytest.raises(ConfigError) as refusal:
        read(tmp_path, DATABASE_URL="mysql://user:canary@host/db")
    assert "canary" not in str(refusal.value)
    settings = read(
        tmp_path, SECRET_KEY="canary-1", DATABASE_URL="postgresql://u:canary-2@h/d", SMTP_URL="smtp://u:canary-3@h"
    )
    assert "canary" not in repr(settings)


@pytest.mark.parametrize("name", ["SECRET_KEY", "SUPERVISOR_PASSWORD"])
def test_production_demands_its_secrets(tmp_path, name):
    with pytest.raises(ConfigError, match=name):
        load({"DATA_DIR": str(tmp_path), **PRODUCTION, name: ""})
    with pytest.raises(ConfigError, match=name):
        load({"DATA_DIR": str(tmp_path), **PRODUCTION, name: "short"})
    assert load({"DATA_DIR": str(tmp_path), **PRODUCTION}).examples is False


def test_development_makes_its_secrets_once_and_keeps_them_private(tmp_path):
    first, second = read(tmp_path), read(tmp_path)
    assert first.secret_key == second.secret_key
    assert len(first.secret_key) >= 32
    assert first.secret_key != first.supervisor_password
    assert (tmp_path / "secrets" / "secret_key").stat().st_mode & 0o077 == 0


def test_place_without_room_for_secrets_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="DATA_DIR"):
        kept_secret(tmp_path / "file" / "secrets" / "x")


@pytest.mark.parametrize(
    ("env", "url"),
    [
        ({"DATABASE_URL": "postgres://u:p@h:1/d"}, "postgresql+psycopg://u:p@h:1/d"),
        ({"DATABASE_URL": "postgresql://u:p@h/d"}, "postgresql+psycopg://u:p@h/d"),
        (
            {"DB_TYPE": "postgresql", "DB_USER": "u", "DB_PASSWORD": "p@ss", "DB_HOST": "h", "DB_NAME": "d"},
            "postgresql+psycopg://u:p%40ss@h:5432/d",
        ),
        ({"DB_TYPE": "postgresql", "DB_USER": "u", "DB_HOST": "::1"}, "postgresql+psycopg://u@[::1]:5432/accepted"),
        (
            {"DB_TYPE": "postgresql", "DB_USER": "u", "DB_HOST": "/run/pg"},
            "postgresql+psycopg://u@/accepted?host=%2Frun%2Fpg&port=5432",
        ),
    ],
)
def test_database_settings(tmp_path, env, url):
    assert read(tmp_path, **env).database_url == url


@pytest.mark.parametrize(
    "host", ["db.example.com", "192.0.2.1", "::1", "[::1]", "fe80::1%eth0", "/run/my pg", "/run/a&b=c?d"]
)
@pytest.mark.parametrize("odd", ["p@ss:w/rd?#[]", "100%41 + ü&=;", "\"'\\$", "0"])
def test_parts_of_the_database_reach_it_as_they_are(tmp_path, host, odd):
    parts = {"DB_USER": odd, "DB_PASSWORD": odd, "DB_HOST": host, "DB_PORT": "6432", "DB_NAME": odd}
    url = make_url(read(tmp_path, DB_TYPE="postgresql", **parts).database_url)
    _, found = url.get_dialect()().create_connect_args(url)
    expected = {"user": odd, "password": odd, "host": host.strip("[]"), "port": 6432, "dbname": odd}
    assert {**found, "port": int(found["port"])} == expected


def test_parts_of_the_database_that_are_not_given(tmp_path):
    url = make_url(read(tmp_path, DB_TYPE="postgresql").database_url)
    assert (url.host, url.port, url.database, url.password) == ("127.0.0.1", 5432, "accepted", None)
    assert read(tmp_path, DB_TYPE="sqlite", DB_NAME="x").database_url == f"sqlite:///{tmp_path}/accepted.db"
    assert read(tmp_path, DB_TYPE="postgresql", DATABASE_URL="sqlite:////x.db").database_url == "sqlite:////x.db"


@pytest.mark.parametrize("name", ["public", "_x1", "user", "a" * 63])
def test_schema_is_a_plain_name(tmp_path, name):
    assert read(tmp_path, DB_TYPE="postgresql", DB_SCHEMA=name).db_schema == name


def test_schema_without_postgresql_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match="DB_SCHEMA: only PostgreSQL has schemas"):
        read(tmp_path, DB_SCHEMA="ours")


def test_data_directory_with_odd_characters(tmp_path):
    settings = load({"DATA_DIR": f"{tmp_path}/a b?#%41"})
    assert make_url(settings.database_url).database == f"{tmp_path}/a b?#%41/accepted.db"


def test_path_too_long_for_a_socket_is_one_line():
    with pytest.raises(ConfigError, match="DATA_DIR: too long"):
        load({"DATA_DIR": "/tmp/" + "x" * 100, "SECRET_KEY": "k", "SUPERVISOR_PASSWORD": "p"})
