"""`run.py web`: the Flask app behind granian, a real WSGI server, on the socket that `run.py up` keeps open for it."""

import contextlib
import os
import socket
import time
from typing import Any

from granian import Granian
from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

from app import config
from app.commands.lifeline import die_with_parent
from app.commands.listener import BACKLOG, STOP_ACCEPTING, listen
from app.helpers import logs
from app.helpers.doors import ORDINARY
from app.queue.signals import MOST_WAITING

MOST_CONNECTIONS = 8192  # of each process; one that does not ask for anything costs no thread
LAST_REQUESTS_SECONDS = 0.25  # in which a connection that was accepted brings its request
DRAIN_SECONDS = 5  # for requests in hand; supervisord kills after 6


class Server(Granian):  # type: ignore[misc,valid-type]
    """granian would open a socket in each of its processes, and lose with a process who is in its backlog. Here all
    accept from one, which outlives them: while none is there, clients wait instead of being refused."""

    def __init__(self, listener: socket.socket, **options: Any):
        super().__init__("app.wsgi:application", **options)
        self._sso = listener

    def _stop_workers(self) -> None:
        """They stop accepting before they stop: granian closes a connection whose request it has not begun to read."""
        for worker in self.wrks:
            with contextlib.suppress(OSError):
                os.kill(worker.inner.pid, STOP_ACCEPTING)
        time.sleep(LAST_REQUESTS_SECONDS)
        super()._stop_workers()

    def _init_shared_socket(self) -> None:
        self._shd = SocketHolder(self._sso.fileno(), False, BACKLOG)  # type: ignore[call-arg]  # its stub is too short


def main(_arguments: list[str]) -> int:
    die_with_parent()
    settings = config.load()
    logs.configure(settings)
    given = os.environ.get("LISTEN_FD")
    listener = socket.socket(fileno=int(given)) if given else listen("PORT", settings.host, settings.port)
    Server(
        listener,
        interface=Interfaces.WSGI,
        workers=settings.web_concurrency,
        blocking_threads=ORDINARY + MOST_WAITING,
        backlog=BACKLOG,
        backpressure=MOST_CONNECTIONS,
        http=HTTPModes.http1,
        websockets=False,
        log_level=LogLevels.info if settings.debug else LogLevels.error,
        log_access=settings.debug,
        log_dictconfig={"loggers": {}},  # no handlers of its own: what it says goes where all goes
        respawn_failed_workers=True,
        workers_kill_timeout=DRAIN_SECONDS,
    ).serve()
    return 0
