"""`create_app()`: the HTTP door, put together. Nothing else."""

from flask import Flask

from app.boot import boot
from app.config import Settings
from app.controllers import bar, baz, fail, foo, jobs, root, tasks, users
from app.controllers.v0 import tasks as v0_tasks
from app.helpers import auth, problems, responses, web_monitoring

BLUEPRINTS = (root, users, tasks, jobs, v0_tasks)
EXAMPLES = (foo, bar, baz, fail)


def create_app(settings: Settings) -> Flask:
    engine, _ = boot(settings, pool_size=20)
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=settings.secret_key,
        EXAMPLES=settings.examples,
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
        PROPAGATE_EXCEPTIONS=False,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["accepted.engine"] = engine
    responses.init(app)  # first in, last out: the transaction is settled after everything else
    problems.init(app)
    auth.init(app)
    web_monitoring.init(app)
    for module in BLUEPRINTS + (EXAMPLES if settings.examples else ()):
        app.register_blueprint(module.bp)
    return app
