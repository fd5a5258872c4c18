"""What `run.py migrate` and each start make of a database that is not there, and of a schema with a name."""

import io
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from alembic import command
from people import Person
from psycopg import sql
from rq.serializers import JSONSerializer
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import make_url

from app import config, create_app, db, migrate
from app.commands.migrate import migrate as start_migrating
from app.commands.migrate import reach
from app.errors import ConfigError
from app.models import Base
from app.models.job import LANES
from app.queue import doorbell, relay
from app.queue.worker import LedgerWorker

TABLES = {"alembic_version", *Base.metadata.tables}
ODD = f'a "quoted" näme; %s 50% {os.getpid()}'  # by process, as several may test on one server


def settings_for(tmp_path: Path, url, schema: str = "", **more: str) -> config.Settings:
    rendered = url if isinstance(url, str) else url.render_as_string(hide_password=False)
    env = {"APP_ENV": "test", "DATA_DIR": str(tmp_path / "var"), "DATABASE_URL": rendered, "DB_SCHEMA": schema}
    return config.load({**env, **more})


@pytest.fixture
def connected(postgres_server):
    """Somebody else's connection to the server, with all rights."""
    with psycopg.connect(make_url(postgres_server.url).set(drivername="postgresql").render_as_string(False)) as someone:
        someone.autocommit = True
        yield someone


@pytest.fixture
def missing(postgres_server, connected):
    """The URL of a database that is not there."""
    name = ODD
    yield make_url(postgres_server.url).set(database=name)
    connected.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def poor(connected):
    """A role that may sign in and nothing else."""
    name = f"poor_{os.getpid()}"
    connected.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'poor'")
    yield {"username": name, "password": "poor"}
    connected.execute(f"DROP OWNED BY {name}")
    connected.execute(f"DROP ROLE {name}")


def test_missing_database_is_made_in_utf8(tmp_path, missing, capsys):
    with_options = missing.update_query_dict({"connect_timeout": "7", "application_name": "accepted"})
    assert start_migrating(settings_for(tmp_path, with_options)) == migrate.newest_revision()
    assert capsys.readouterr().err == f"accepted: made the database {ODD!r}\n"
    engine = create_engine(missing)
    with engine.connect() as connection:
        assert connection.scalar(text("SHOW server_encoding")) == "UTF8"
    engine.dispose()
    assert start_migrating(settings_for(tmp_path, missing)) == migrate.newest_revision()
    assert capsys.readouterr().err == ""


def test_two_starts_at_once_make_one_database(tmp_path, missing):
    both = threading.Barrier(2)

    def start_one(number: int) -> None:
        engine = db.connect(settings_for(tmp_path / str(number), missing).database_url)
        both.wait()
        reach(engine)
        engine.dispose()

    with ThreadPoolExecutor(2) as pool:
        for started in [pool.submit(start_one, number) for number in range(2)]:
            started.result()


def test_role_that_may_make_no_database_is_told_what_to_do(tmp_path, missing, poor):
    with pytest.raises(ConfigError) as refusal:
        start_migrating(settings_for(tmp_path, missing.set(**poor)))
    said, name = str(refusal.value), poor["username"]
    assert said.startswith(f"DATABASE_URL: there is no database {ODD!r}, and {name!r} can't make it (permission denied")
    assert f'run CREATE DATABASE "{ODD.replace(chr(34), chr(34) * 2)}" OWNER "{name}"' in said
    assert "\n" not in said


def test_what_is_wrong_with_a_database_that_exists_is_said_as_it_is(tmp_path, postgres_server, connected, poor):
    url = make_url(postgres_server.create_database())
    connected.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(sql.Identifier(url.database)))
    with pytest.raises(ConfigError, match=r"DATABASE_URL: can't reach .*permission denied"):
        start_migrating(settings_for(tmp_path, url.set(**poor)))


def test_folder_of_sqlite_is_made(tmp_path):
    file = tmp_path / "a b" / "c" / "accepted.db"
    assert start_migrating(settings_for(tmp_path, f"sqlite:///{file}")) == migrate.newest_revision()
    assert file.parent.stat().st_mode & 0o077 == 0
    assert not (tmp_path / "var" / "accepted.db").exists()


def test_folder_of_sqlite_that_can_t_be_made_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"DATABASE_URL: can't make the folder .*/file/c: Not a directory"):
        start_migrating(settings_for(tmp_path, f"sqlite:///{tmp_path}/file/c/accepted.db"))


# A schema with a name


@pytest.fixture
def shared(postgres_server):
    """An engine on a database in which others live, too, in the default schema and in one of their own."""
    engine = create_engine(postgres_server.create_database().replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA theirs"))
        for schema in ("theirs", "public"):
            connection.execute(text(f"CREATE TABLE {schema}.jobs (id INTEGER PRIMARY KEY)"))
            connection.execute(text(f"CREATE TABLE {schema}.alembic_version (version_num VARCHAR(32) PRIMARY KEY)"))
            connection.execute(text(f"INSERT INTO {schema}.alembic_version VALUES ('theirs')"))
    yield engine
    engine.dispose()


def ours_in(shared, schema: str = "ours"):
    return db.connect(shared.url.render_as_string(hide_password=False), schema=schema)


def tables_of(shared, schema: str) -> set[str]:
    return set(inspect(shared).get_table_names(schema=schema))


def assert_that_others_are_left_alone(shared):
    for schema in ("theirs", "public"):
        assert tables_of(shared, schema) == {"jobs", "alembic_version"}
        with shared.connect() as connection:
            assert connection.scalar(text(f"SELECT version_num FROM {schema}.alembic_version")) == "theirs"


def assert_that_nothing_is_to_migrate(engine):
    asked = migrate.alembic_config(engine)
    asked.stdout = io.StringIO()
    command.check(asked)  # raises if it would write a migration


def test_up_down_up_in_a_schema_of_our_own(shared):
    engine = ours_in(shared)
    assert migrate.current_revision(engine) is None
    migrate.upgrade(engine)
    assert tables_of(shared, "ours") == TABLES
    assert migrate.current_revision(engine) == migrate.newest_revision()
    migrate.downgrade(engine, "base")
    assert tables_of(shared, "ours") == {"alembic_version"}
    migrate.upgrade(engine)
    assert tables_of(shared, "ours") == TABLES
    assert_that_others_are_left_alone(shared)
    functions = "SELECT nspname FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace WHERE proname = :name"
    with shared.connect() as connection:
        for name in ("note_job_event", "refuse_job_move", "count_batch"):
            assert connection.scalars(text(functions), {"name": name}).all() == ["ours"]
    engine.dispose()


# PostgreSQL says a computed column's expression in words of its own, at which Alembic warns.
own_words = pytest.mark.filterwarnings("ignore:Computed default on")


@own_words
@pytest.mark.parametrize("first_start", [True, False])
def test_models_are_compared_with_our_own_schema_only(shared, first_start):
    engine = ours_in(shared)
    migrate.upgrade(engine)
    if not first_start:  # an engine that saw the schema at its first connection has it as its default one
        engine.dispose()
        engine = ours_in(shared)
    assert_that_nothing_is_to_migrate(engine)
    engine.dispose()


@own_words
def test_default_schema_is_not_compared_with_others(shared):
    with shared.begin() as connection:
        connection.execute(text("DROP TABLE public.jobs, public.alembic_version"))
    engine = db.connect(shared.url.render_as_string(hide_password=False))
    migrate.upgrade(engine)
    assert_that_nothing_is_to_migrate(engine)
    engine.dispose()


def test_role_that_may_make_no_schema_needs_one_that_is_there(tmp_path, shared, connected, poor):
    ours = settings_for(tmp_path, shared.url.set(**poor), "ours")
    with pytest.raises(ConfigError, match=r"the migration failed.*permission denied for database.*CREATE SCHEMA ours"):
        start_migrating(ours)
    with shared.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA ours AUTHORIZATION {poor['username']}"))
    assert start_migrating(ours) == migrate.newest_revision()
    with shared.begin() as connection:
        connection.execute(text("DROP SCHEMA ours CASCADE"))


def test_job_moved_by_somebody_without_our_search_path_is_noted_in_our_schema(shared):
    engine = ours_in(shared)
    migrate.upgrade(engine)
    columns = "attempt, charged, crashes, progress_total, progress_completed, progress_failed"
    with shared.begin() as somebody:
        somebody.execute(
            text(
                f"INSERT INTO ours.jobs (id, type, queue, status, args, history, max_attempts, {columns}, "
                "run_at, created_at, updated_at) VALUES (gen_random_uuid(), 't', 'low', 'queued', '{}', '[]', 5, "
                "0, 0, 0, 0, 0, 0, now(), now(), now())"
            )
        )
        assert somebody.scalar(text("SELECT count(*) FROM ours.job_events")) == 1
    engine.dispose()


def test_two_copies_live_side_by_side_in_two_schemas(tmp_path, shared, redis, redis_server):
    both = [settings_for(tmp_path / name, shared.url, name, REDIS_URL=redis_server.url) for name in ("one", "two")]
    for settings in both:
        start_migrating(settings)
    for settings in both:
        app = create_app(settings)
        client = app.test_client()
        alice = Person.sign_up(client, "alice@example.com")
        job = alice.post("/api/v1/baz", json={"to": 2}).json
        relay.look()
        db.session.remove()
        LedgerWorker(LANES, connection=redis, serializer=JSONSerializer).work(burst=True, logging_level="WARNING")
        assert alice.get(job["links"]["self"]).json["status"] == "succeeded"
        db.session.remove()
        app.extensions["accepted.engine"].dispose()
        doorbell.connection().close()
    for schema in ("one", "two"):
        with shared.connect() as connection:
            assert connection.scalar(text(f"SELECT count(*) FROM {schema}.users")) == 1
            jobs = text(f"SELECT status FROM {schema}.jobs WHERE type = 'examples.count'")
            assert connection.scalars(jobs).all() == ["succeeded"]
    assert_that_others_are_left_alone(shared)
