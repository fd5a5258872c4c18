"""What tests stand on: real Redis, both databases, the whole application, and three people."""

import gc
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from buckets import S3Server
from copies import Copy, wait_for
from flask import Flask
from nursery import Nursery
from people import Person
from redis import Redis
from redis import utils as redis_utils
from rq.serializers import JSONSerializer
from servers import PostgresServer, RedisServer
from sqlalchemy import Engine, event
from workload import Workload, place_of

from app import config, create_app, db, env, migrate
from app.boot import boot
from app.helpers import monitoring
from app.models import Base
from app.models.job import LANES
from app.queue import doorbell, relay
from app.queue.worker import LedgerWorker

SECRET = "a secret for tests only, long enough"

# Each new connection asks for it, and it is read from the disk: here, where each test connects, that adds up.
redis_utils.get_lib_version = cache(redis_utils.get_lib_version)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Workload:
    config.option.loadscopereorder = False  # the order is ours
    return Workload(config, log)


def pytest_collection() -> None:
    gc.disable()  # imports leave next to none


def pytest_runtestloop() -> None:
    """What is there now stays: no later look for garbage goes over it."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: place_of(item.nodeid))


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """New folders. pytest's own way to one goes through all that were made before, to find the next number."""
    root = tmp_path_factory.mktemp("folders")
    return (root / str(number) for number in count())


@pytest.fixture
def tmp_path(folders: Iterator[Path]) -> Path:
    folder = next(folders)
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server


@pytest.fixture(scope="session")
def server() -> Iterator[Copy]:
    """The whole server, with all its processes. Whoever kills some of them waits until they are back."""
    with Copy(RATE_LIMIT="off") as copy:
        yield copy


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with Nursery() as running:
        yield running


@pytest.fixture
def aws(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment with the way to that server."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.fixture(scope="session")
def engines() -> Iterator[set[str]]:
    """The URLs of which there is one engine in this process: a new one for each test would compile every statement anew
    and connect again, a third of the test's time."""
    shared: set[str] = set()
    made: dict[tuple[Any, ...], Engine] = {}
    connect = db.connect

    def connect_once(url: str, **options: Any) -> Engine:
        key = (url, *sorted(options.items()))
        if key not in made:
            engine = connect(url, **options)
            if url not in shared:
                return engine
            if engine.dialect.name == "sqlite":  # as PostgreSQL here: no power cut is awaited
                event.listen(engine, "connect", lambda driver, _: driver.execute("PRAGMA synchronous=OFF"))
            made[key] = engine
        db.session.remove()
        db.session.configure(bind=made[key])
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(db, "connect", connect_once)
        yield shared
    for engine in made.values():
        engine.dispose()


@pytest.fixture(scope="session")
def migrated(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest, engines: set[str]
) -> Callable[[str], str]:
    """The URL of a migrated database of this kind: one for each kind and test process."""
    made: dict[str, str] = {}

    def url_of(kind: str) -> str:
        if kind not in made:
            if kind == "sqlite":
                url = f"sqlite:///{tmp_path_factory.mktemp('db')}/test.db"
            else:
                url = request.getfixturevalue("postgres_server").create_database()
            parsed = env.DATABASE_URL.parse(url)
            engines.add(parsed)
            migrate.upgrade(db.connect(parsed))
            made[kind] = url
        return made[kind]

    return url_of


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, migrated: Callable[[str], str]) -> str:
    return migrated(request.param)


@pytest.fixture
def settings(database_url: str, redis_server: RedisServer, tmp_path: Path) -> config.Settings:
    return config.load(
        {
            "APP_ENV": "test",
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_server.url,
            "DATA_DIR": str(tmp_path / "var"),
            "SECRET_KEY": SECRET,
            "SUPERVISOR_PASSWORD": "operator's password",
        }
    )


@pytest.fixture(scope="session")
def redis_client(redis_server: RedisServer) -> Iterator[Redis]:
    with redis_server.client() as client:
        yield client


@pytest.fixture
def redis(redis_client: Redis) -> Redis:
    redis_client.flushall()
    return redis_client


@pytest.fixture(scope="session")
def apps() -> dict[config.Settings, Flask]:
    """Those made so far in this process."""
    return {}


@pytest.fixture
def app(settings: config.Settings, redis: Redis, apps: dict[config.Settings, Flask]) -> Iterator[Flask]:
    """An application of its own for each test, but for the routes: compiling them takes half of a test's time."""
    kind = replace(settings, data_dir=Path(), log_dir=Path(), storage_url="", smtp_url="")
    if kind in apps:
        app = apps[kind]
        app.extensions["accepted.engine"], _ = boot(settings, pool_size=20)
    else:
        app = create_app(settings)
        if settings.rate_limit is None:  # one that limits counts, so it is used only once
            apps[kind] = app
    engine: Engine = app.extensions["accepted.engine"]
    yield app
    db.session.remove()
    empty(engine)
    wait_for(lambda: engine.pool.checkedout() == 0, engine.pool.status)  # the thread that looks for all who wait
    doorbell.connection().close()
    monitoring.flush()


def empty(engine: Engine) -> None:
    deletes = [f"DELETE FROM {table.name}" for table in reversed(Base.metadata.sorted_tables)]
    with engine.begin() as connection:
        for statement in deletes if engine.dialect.name == "sqlite" else ["; ".join(deletes)]:
            connection.exec_driver_sql(statement)


@pytest.fixture
def client(app: Flask):
    return app.test_client()


@pytest.fixture
def alice(client) -> Person:
    return Person.settle_in(client, "alice@example.com")


@pytest.fixture
def bob(client) -> Person:
    return Person.settle_in(client, "bob@example.com")


@pytest.fixture
def work(app: Flask, settings: config.Settings) -> Callable[[], None]:
    """Does what is due: one look of the relay, then a real worker until its queues are empty."""

    def work_off() -> None:
        relay.look()
        db.session.remove()
        connection = Redis.from_url(settings.redis_url)
        worker = LedgerWorker(LANES, connection=connection, serializer=JSONSerializer)
        worker.work(burst=True, logging_level="WARNING")
        connection.close()

    return work_off


@pytest.fixture
def queries(app: Flask) -> Iterator[list[str]]:
    """The SQL statements of the test, as they are executed."""
    seen: list[str] = []

    def note(_connection, _cursor, statement: str, *_rest) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            seen.append(statement)

    engine = app.extensions["accepted.engine"]
    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def mails(settings: config.Settings) -> Callable[[], list[str]]:
    """The mails that were written so far, each as its whole text."""
    return lambda: [path.read_text() for path in sorted((settings.data_dir / "mail").glob("*.eml"))]
