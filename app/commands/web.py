"""`run.py web`: the Flask app behind granian, a real WSGI server."""

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

from app import config
from app.commands.lifeline import die_with_parent
from app.queue.signals import MOST_WAITING

THREADS = 32 + MOST_WAITING  # of each web process; a waiting request and an event stream hold one
DRAIN_SECONDS = 5  # for requests in hand; supervisord kills after 6


def main(_arguments: list[str]) -> int:
    die_with_parent()
    settings = config.load()
    Granian(
        "app.wsgi:application",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.web_concurrency,
        blocking_threads=THREADS,
        backlog=1024,
        http=HTTPModes.http1,
        websockets=False,
        log_level=LogLevels.info if settings.debug else LogLevels.error,
        log_access=settings.debug,
        respawn_failed_workers=True,
        workers_kill_timeout=DRAIN_SECONDS,
    ).serve()
    return 0
