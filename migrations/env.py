"""How Alembic reaches the database: always online, with the engine that the server uses, and in our own schema only."""

from typing import Any

from alembic import context
from sqlalchemy import Connection, inspect
from sqlalchemy.schema import CreateSchema

from app import db
from app.config import load
from app.migrate import TABLE
from app.models import Base
from app.models.base import UtcDateTime


def render_item(kind: str, item: Any, _context: Any) -> str | bool:
    return "UtcDateTime()" if kind == "type" and isinstance(item, UtcDateTime) else False


def is_ours(name: str | None, kind: str, _parents: Any) -> bool:
    """What is compared with the models: nothing of other schemas. Ours is the default one, which Alembic calls None."""
    return name is None if kind == "schema" else (kind, name) != ("table", TABLE)


def migrate(connection: Connection) -> None:
    schema = connection.get_execution_options().get("schema")
    if connection.dialect.name == "postgresql":  # two hosts that start together migrate one after the other
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7237427001)")
    if schema and not inspect(connection).has_schema(schema):  # IF NOT EXISTS wants the right to make it even so
        connection.execute(CreateSchema(schema))
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        version_table_schema=schema,
        include_schemas=True,
        include_name=is_ours,
        render_as_batch=connection.dialect.name == "sqlite",  # SQLite alters a table by copying it
        render_item=render_item,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def own_engine() -> Any:
    """For `flask db`; the server brings its own."""
    settings = load()
    return db.connect(settings.database_url, schema=settings.db_schema)


engine = context.config.attributes.get("engine") or own_engine()
with engine.begin() as connection:
    migrate(connection)
