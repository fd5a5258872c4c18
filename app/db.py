"""The engine, the session, and the one place that decides when a request commits.

Controllers, services and models never commit: `settle()` does, at the end of each request, and `queue/` does for jobs.
"""

import importlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import scoped_session, sessionmaker

from app.errors import ConfigError

session = scoped_session(sessionmaker(autoflush=True))

# SQLite takes its one write lock at the start of a transaction, because a reader that turns writer later is refused
# at once if somebody else wrote in between. A request that only reads says so and takes no lock.
read_only: ContextVar[bool] = ContextVar("read_only", default=False)

BUSY_TIMEOUT_MS = 10_000


def connect(url: str, *, schema: str | None = None, pool_size: int = 5) -> Engine:
    """Makes the engine and binds the session to it. No connection is opened yet.

    All that is ours is in this schema of PostgreSQL, and no statement sees another one's tables.
    """
    if make_url(url).get_backend_name() == "sqlite":
        engine = create_engine(url, hide_parameters=True, pool_size=pool_size, max_overflow=20)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        options = "-c timezone=utc -c lock_timeout=10000" + (f" -c search_path={schema}" if schema else "")
        engine = create_engine(
            url,
            execution_options={"schema": schema},  # for the migrations, which make it
            hide_parameters=True,  # rows hold people's data: none of it belongs in a log or an alert
            pool_size=pool_size,
            max_overflow=20,
            pool_timeout=5,
            pool_pre_ping=True,  # survives a restart of the database
            connect_args={"connect_timeout": 5, "options": options},
        )
    session.remove()
    session.configure(bind=engine)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself: `_begin_sqlite` does
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode=WAL")
    # NORMAL in WAL mode survives any crash of a process; a power cut may lose the last commits, which FULL does not.
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN" if read_only.get() else "BEGIN IMMEDIATE")


@contextmanager
def reading() -> Iterator[None]:
    """A short look outside any other transaction: takes no lock, and leaves nothing open."""
    token = read_only.set(True)
    try:
        yield
    finally:
        session.rollback()
        read_only.reset(token)


def insert_unless_there(model: Any, **on_conflict: Any) -> Any:
    """`INSERT INTO model … ON CONFLICT DO NOTHING`, in the dialect of the database; add `.values(…)`."""
    dialect = importlib.import_module(f"sqlalchemy.dialects.{session.get_bind().dialect.name}")
    return dialect.insert(model).on_conflict_do_nothing(**on_conflict)


def settle(status: int) -> None:
    """Ends a request's transaction: commits what a success wrote, and leaves nothing of a refusal."""
    if status < 400:
        session.commit()
    else:
        session.rollback()


def check(engine: Engine) -> None:
    """Raises ConfigError, in one line, if the database can't be reached."""
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0] if error.orig else "no answer"
        raise ConfigError(f"DATABASE_URL: can't reach {engine.url.render_as_string()}: {reason}") from None
