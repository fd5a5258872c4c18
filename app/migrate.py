"""Brings the database to the newest migration, and says whether it is there."""

from typing import TYPE_CHECKING

from sqlalchemy import Engine, inspect, text

from app.config import ROOT

if TYPE_CHECKING:
    from alembic.config import Config

TABLE = "alembic_version"  # where Alembic keeps the revision
MIGRATIONS = ROOT / "migrations"


def alembic_config(engine: Engine | None = None) -> "Config":
    from alembic.config import Config  # noqa: PLC0415  # slow to import, and mostly there is nothing to migrate

    config = Config(MIGRATIONS / "alembic.ini")
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["engine"] = engine
    return config


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Runs what is missing. Raises whatever the database says; nothing is half done."""
    from alembic import command  # noqa: PLC0415  # as above

    command.upgrade(alembic_config(engine), revision)


def downgrade(engine: Engine, revision: str) -> None:
    from alembic import command  # noqa: PLC0415  # as above

    command.downgrade(alembic_config(engine), revision)


def newest_revision() -> str:
    """By the numbers that the files' names begin with, which are the revisions."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("*.py"))


def current_revision(engine: Engine) -> str | None:
    """None for a database that has seen no migration."""
    with engine.connect() as connection:
        if not inspect(connection).has_table(TABLE):
            return None
        found = connection.scalar(text(f"SELECT version_num FROM {TABLE}"))  # noqa: S608  # our own word
        return None if found is None else str(found)
