"""A Honeybadger of our own: a real HTTP server in a thread, which keeps what it takes and misbehaves on demand."""

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass
class Received:
    """One POST: where it went, its headers with names in lower case, and the notice."""

    path: str
    headers: dict[str, str]
    notice: dict[str, Any]

    @property
    def error(self) -> dict[str, Any]:
        return self.notice["error"]

    @property
    def context(self) -> dict[str, Any]:
        return self.notice["request"]["context"]


class Collector:
    """`status` is what it answers (0: hangs up without a word), after `answers`; `silent` makes it only listen.

    What it did not answer with 2xx is in `refused`, the rest in `received`.
    """

    def __init__(self) -> None:
        self.status = 201
        self.answers: list[int] = []
        self.location = ""
        self.received: list[Received] = []
        self.refused: list[Received] = []
        self._speak = threading.Event()
        self._speak.set()
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.silent = False
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def silent(self) -> bool:
        return not self._speak.is_set()

    @silent.setter
    def silent(self, value: bool) -> None:
        self._speak.clear() if value else self._speak.set()

    def wait_for(self, count: int, timeout: float = 10) -> list[Received]:
        """The notices, as soon as there are so many."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.received) >= count, timeout):
                raise AssertionError(f"{len(self.received)} of {count} notices came within {timeout} s")
            return list(self.received)

    def take(self, request: Received) -> int:
        """Keeps the notice and says which status to answer."""
        self._speak.wait()
        with self._changed:
            status = self.answers.pop(0) if self.answers else self.status
            (self.received if 200 <= status < 300 else self.refused).append(request)
            self._changed.notify_all()
            return status


def _handler_of(collector: Collector) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = collector.take(Received(self.path, headers, json.loads(body)))
            if not status:
                self.close_connection = True
                return
            try:
                self.send_response(status)
                if collector.location:
                    self.send_header("Location", collector.location)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")
            except OSError:  # the client lost its patience
                self.close_connection = True

        def do_GET(self) -> None:
            """Where a redirected POST would end: politely, and with the notice lost."""
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    return Handler
