"""The HTTP door, put together: config, database, errors, logging, monitoring, controllers. Nothing else."""

from flask import Flask

from app.boot import boot
from app.config import Settings, load
from app.controllers import (
    bar,
    baz,
    campaigns,
    dashboard,
    docs,
    events,
    fail,
    files,
    foo,
    guest_lists,
    guests,
    invitations,
    jobs,
    links,
    passwords,
    recipients,
    root,
    tasks,
    tokens,
    unsubscribe,
    users,
)
from app.controllers.v0 import campaigns as v0_campaigns
from app.controllers.v0 import files as v0_files
from app.controllers.v0 import tasks as v0_tasks
from app.helpers import auth, cors, doors, html, idempotency, limits, problems, responses, uploads, waiting
from app.helpers import web_monitoring as monitoring
from app.migrate import MIGRATIONS
from app.models import Base
from app.queue import signals

BLUEPRINTS = (
    users,
    passwords,
    tokens,
    events,
    guests,
    guest_lists,
    tasks,
    files,
    links,
    campaigns,
    recipients,
    invitations,
    unsubscribe,
    jobs,
    v0_tasks,
    v0_files,
    v0_campaigns,
    root,
    docs,
)
EXAMPLES = (foo, bar, baz, fail)


def create_app(settings: Settings) -> Flask:
    engine, redis = boot(settings, pool_size=20)
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=settings.secret_key,
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
        PROPAGATE_EXCEPTIONS=False,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.extensions["accepted.engine"] = engine
    app.wsgi_app = doors.in_turns(app.wsgi_app)  # type: ignore[method-assign,assignment]
    responses.init(app)  # first in, last out: the transaction is settled after everything else
    waiting.init(app, signals.try_to_wait)
    problems.init(app)
    html.init(app)
    cors.init(app, settings)
    auth.init(app)
    limits.init(app, settings, redis)
    uploads.init(app)
    idempotency.init(app)
    monitoring.init(app)
    dashboard.init(app, settings, redis)
    for module in BLUEPRINTS + (EXAMPLES if settings.examples else ()):
        app.register_blueprint(module.bp)
    return app


def for_flask_db() -> Flask:
    """What `flask --app app.factory:for_flask_db db …` works on, to write a migration."""
    from flask_migrate import Migrate  # noqa: PLC0415  # slow to import, and a running server needs none of it

    app = create_app(load())
    Migrate(app, Base, directory=str(MIGRATIONS))
    return app
