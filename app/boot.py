"""What every process needs before it works: settings in force, logging, alerts, database, Redis, jobs. No Flask."""

from redis import Redis
from sqlalchemy import Engine

from app import config, db
from app.helpers import logs, monitoring, storage
from app.queue import doorbell, recurrences
from app.workers.schedule import SCHEDULE  # importing any of the workers registers all jobs


def boot(settings: config.Settings, *, pool_size: int = 5) -> tuple[Engine, Redis]:
    """Connects this process to everything; opens no connection yet, so it works while others are still starting."""
    config.use(settings)
    logs.configure(settings)
    monitoring.configure(settings)
    engine = db.connect(settings.database_url, schema=settings.db_schema, pool_size=pool_size)
    storage.use()
    redis = doorbell.connect(settings.redis_url)
    recurrences.schedule(SCHEDULE)
    return engine, redis
