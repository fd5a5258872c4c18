"""How Alembic reaches the database: always online, with the engine that the server uses."""

from typing import Any

from alembic import context
from sqlalchemy import Connection

from app import db
from app.config import load
from app.models import Base
from app.models.base import UtcDateTime


def render_item(kind: str, item: Any, _context: Any) -> str | bool:
    return "UtcDateTime()" if kind == "type" and isinstance(item, UtcDateTime) else False


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_schemas=True,
        render_as_batch=connection.dialect.name == "sqlite",  # SQLite alters a table by copying it
        render_item=render_item,
        compare_server_default=True,
    )
    if connection.dialect.name == "postgresql":  # two hosts that start together migrate one after the other
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7237427001)")
    with context.begin_transaction():
        context.run_migrations()


engine = context.config.attributes.get("engine") or db.connect(load().database_url)
with engine.begin() as connection:
    migrate(connection)
