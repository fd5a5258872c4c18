"""What is missing, of all that a request and its job need."""

from redis.exceptions import RedisError
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from app import migrate
from app.db import session
from app.models.job import LANES
from app.queue import doorbell
from app.queue.relay import ALIVE_KEY

_at_head: set[str] = set()  # a database that once was at head stays there while this process lives


def missing(engine: Engine) -> list[str]:
    """One line for each thing that is not there; empty when all is well."""
    return [*_of_the_database(engine), *_of_redis()]


def _of_the_database(engine: Engine) -> list[str]:
    try:
        session.execute(text("SELECT 1"))
        wanted = migrate.newest_revision() if not _at_head else None
        if wanted is not None:
            found = migrate.current_revision(engine)
            if found != wanted:
                return [f"migrations: the database is at {found}, not at {wanted}"]
            _at_head.add(wanted)
    except SQLAlchemyError:
        return ["database: can't be reached"]
    return []


def _of_redis() -> list[str]:
    try:
        wrong = [] if doorbell.connection().exists(ALIVE_KEY) else ["relay: none is running"]
        return wrong + [f"worker: none takes jobs from {queue}" for queue in LANES if not doorbell.has_worker(queue)]
    except RedisError:
        return ["redis: can't be reached"]
