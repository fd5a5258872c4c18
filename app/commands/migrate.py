"""`run.py migrate`: makes the database if there is none, and brings it to the newest migration."""

import sys
from pathlib import Path

from sqlalchemy import Engine

from app import config, db
from app.config import Settings
from app.errors import ConfigError
from app.migrate import current_revision, newest_revision, upgrade

MAINTENANCE = "postgres"  # the database that every PostgreSQL server has, to make others from


def main(_arguments: list[str]) -> int:
    print(f"The database is at migration {migrate(config.load())}.")
    return 0


def migrate(settings: Settings) -> str | None:
    """Returns where the database is now. What goes wrong is one line; with DEBUG, all of it."""
    engine = db.connect(settings.database_url, schema=settings.db_schema)
    try:
        reach(engine)
        if current_revision(engine) != newest_revision():
            upgrade(engine)
        return current_revision(engine)
    except ConfigError:
        raise
    except Exception as error:
        if settings.debug:
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(f"the migration failed, nothing was started (more with DEBUG=true): {reason[:500]}") from None
    finally:
        engine.dispose()


def reach(engine: Engine) -> None:
    """Makes what is missing, and raises ConfigError if the database still can't be reached."""
    if engine.dialect.name == "sqlite":
        make_folder(str(engine.url.database))
    try:
        db.check(engine)
    except ConfigError:
        if engine.dialect.name == "sqlite" or not make_database(engine):
            raise
        db.check(engine)


def make_folder(file: str) -> None:
    """The one of SQLite's file, unless that is a URI."""
    folder = Path(file).parent
    try:
        if not file.startswith("file:"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"DATABASE_URL: can't make the folder {folder}: {error.strerror}") from None


def make_database(engine: Engine) -> bool:
    """Makes the database unless it is there, which another start may just have seen to. False if the server itself
    can't be reached."""
    import psycopg  # noqa: PLC0415  # mostly there is a database
    from psycopg import sql  # noqa: PLC0415

    arguments, options = engine.dialect.create_connect_args(engine.url.set(database=MAINTENANCE))
    name = engine.url.database or ""
    try:
        server = psycopg.connect(*arguments, **{"connect_timeout": 5, "autocommit": True, **options})
    except psycopg.OperationalError:
        return False
    with server:
        owner = server.info.user
        form = "CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0"
        command = sql.SQL(form).format(sql.Identifier(name), sql.Identifier(owner))
        try:
            if name and not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                server.execute(command)
                print(f"accepted: made the database {name!r}", file=sys.stderr)
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            pass  # another start was quicker
        except psycopg.Error as error:
            reason = str(error).strip().partition("\n")[0]
            raise ConfigError(
                f"DATABASE_URL: there is no database {name!r}, and {owner!r} can't make it ({reason}): have somebody "
                f"run {command.as_string(server)}"
            ) from None
    return True
