"""A mail server of our own, in a thread, that misbehaves on demand at each step of SMTP (aiosmtpd can't be made to)."""

import base64
import socketserver
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, Self, cast

DROP = "drop"  # hangs up instead of an answer
GOOD = {
    "connect": "220 at your service",
    "STARTTLS": "220 go on",
    "AUTH": "235 welcome",
    "MAIL": "250 OK",
    "RCPT": "250 OK",
    "DATA": "354 go on",
    "end": "250 taken",
    "RSET": "250 OK",
    "QUIT": "221 goodbye",
}


@dataclass(frozen=True)
class Taken:
    """A mail that was answered with 250."""

    sender: str
    to: str
    data: bytes

    @property
    def message(self) -> EmailMessage:
        return cast(EmailMessage, message_from_bytes(self.data, policy=default))


class PostOffice:
    """`script` has, for a step or for a step and an address ("RCPT a@b"), what to do instead of answering well, each
    once: an answer, DROP, an event to wait for first, or a function to call first."""

    def __init__(self, tls: ssl.SSLContext | None = None):
        self.tls = tls
        self.script: dict[str, list[Any]] = {}
        self.extensions = ["8BITMIME", "SMTPUTF8", "SIZE 30000000"]
        self.taken: list[Taken] = []
        self.steps: list[str] = []
        self.commands: list[str] = []
        self.connections = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"office": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"smtp://localhost:{self._server.server_address[1]}"

    def to(self) -> list[str]:
        """To whom mails were taken."""
        return [taken.to for taken in self.taken]

    def next_answer(self, step: str, address: str) -> str:
        with self._lock:
            self.steps.append(step)
            todo = next((found for name in (f"{step} {address}", step) if (found := self.script.get(name))), None)
            action = todo.pop(0) if todo else GOOD[step]
        if isinstance(action, threading.Event):
            action.wait(30)
            return GOOD[step]
        if callable(action):
            cast(Callable[[], None], action)()
            return GOOD[step]
        return str(action)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_: object) -> None:
        """The client hung up."""


class _Handler(socketserver.StreamRequestHandler):
    office: PostOffice
    sender = to = ""

    def handle(self) -> None:
        self.office.connections += 1
        if not self.answer("connect"):
            return
        while line := self.rfile.readline():
            command = line.decode().strip()
            self.office.commands.append(command)
            verb, _, rest = command.partition(" ")
            if not self.obey(verb.upper(), rest):
                return

    def finish(self) -> None:
        super().finish()
        self.request.close()  # which may be another than the server's own, for TLS's sake

    def obey(self, verb: str, rest: str) -> bool:
        if verb == "EHLO":
            lines = ["hello", *self.office.extensions]
            self.say("\r\n".join(f"250{'-' if line != lines[-1] else ' '}{line}" for line in lines))
            return True
        if verb in ("MAIL", "RCPT"):
            address = rest.partition("<")[2].partition(">")[0]
            self.sender, self.to = (address, self.to) if verb == "MAIL" else (self.sender, address)
        if not self.answer(verb):
            return False
        if verb == "STARTTLS" and self.office.tls:
            self.request = self.office.tls.wrap_socket(self.request, server_side=True)
            self.setup()
        if verb == "AUTH":
            self.office.commands.append(base64.b64decode(rest.rpartition(" ")[2]).decode())
        return self.take() if verb == "DATA" and self.last.startswith("354") else verb != "QUIT"

    def take(self) -> bool:
        lines: list[bytes] = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                return False
            lines.append(line.removeprefix(b"."))
        mail = Taken(self.sender, self.to, b"".join(lines))
        return self.answer("end", before_good=lambda: self.office.taken.append(mail))

    def answer(self, step: str, before_good: Callable[[], None] = lambda: None) -> bool:
        self.last = self.office.next_answer(step, self.to)
        if self.last == DROP:
            return False
        if self.last.startswith("2"):
            before_good()
        self.say(self.last)
        return not self.last.startswith("421")

    def say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")
