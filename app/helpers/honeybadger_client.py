"""The honeybadger library, tamed: no signal handler, no idle thread, a time limit on its POST, no redirects.

Everything else takes the library's parts from here. How they are used is in monitoring.py and sender.py.
"""

import encodings.idna  # noqa: F401  # a connection imports it: a child forked meanwhile would wait for its lock for ever
import signal
import threading
from contextvars import ContextVar
from http.client import HTTPMessage
from types import SimpleNamespace
from typing import IO, Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

_sigterm = signal.getsignal(signal.SIGTERM)
from honeybadger import connection, honeybadger  # noqa: E402  # what SIGTERM did before must be known first
from honeybadger.notice import Notice  # noqa: E402

__all__ = ["Notice", "client", "post"]

PATIENCE = 3.0  # seconds, each for connecting and for the answer
_patience: ContextVar[float] = ContextVar("patience", default=PATIENCE)


class _NoRedirects(HTTPRedirectHandler):
    """A redirected POST would arrive as a GET without its notice, and take the key to a stranger."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


_opener = build_opener(_NoRedirects)


def _open(request: Request) -> Any:
    """Stands in for urlopen(), which the library calls without a timeout, and whose answer it never closes."""
    try:
        with _opener.open(request, timeout=_patience.get()) as response:
            response.read(1 << 16)
            return response
    except HTTPError as error:
        error.close()
        raise


def post(notice: Any, patience: float = PATIENCE) -> None:
    """Sends one notice here and now, by the library's own hand. Raises OSError and its like where that fails."""
    reset = _patience.set(max(0.05, min(patience, PATIENCE)))
    try:
        connection.send_notice(client.config, notice)
    finally:
        _patience.reset(reset)


client = honeybadger
# This one name in one of the library's modules is the smallest seam that it has.
connection.request = SimpleNamespace(Request=Request, urlopen=_open)
# Its thread for events, which are not used here, would wake up every five seconds for nothing.
client.events_worker.shutdown()
# The library takes SIGTERM for itself when imported. What a signal does is for web, worker and relay to decide.
if threading.current_thread() is threading.main_thread() and _sigterm is not None:
    signal.signal(signal.SIGTERM, _sigterm)
