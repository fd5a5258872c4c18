"""`run.py migrate`: brings the database to the newest migration."""

from app import config, db
from app.config import Settings
from app.errors import ConfigError
from app.migrate import current_revision, newest_revision, upgrade


def main(_arguments: list[str]) -> int:
    print(f"The database is at migration {migrate(config.load())}.")
    return 0


def migrate(settings: Settings) -> str | None:
    """Returns where the database is now. What goes wrong is one line; with DEBUG, all of it."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)  # where SQLite's file is by default
    engine = db.connect(settings.database_url)
    try:
        db.check(engine)
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
