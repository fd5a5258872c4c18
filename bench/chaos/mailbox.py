"""A mail server of our own, by SMTP, which takes everything and keeps what tells a mail from its repeat."""

from collections import Counter
from email.parser import BytesHeaderParser
from typing import Any, Self

from aiosmtpd.controller import Controller
from copies import free_ports


class Mailbox:
    def __init__(self) -> None:
        self.received: Counter[str] = Counter()  # by what stands before the @ of the Message-ID
        [self.port] = free_ports(1)
        self._server = Controller(self, hostname="127.0.0.1", port=self.port)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """A mail is there once the client was told so; one that it was not told of, it sends again."""
        message_id = BytesHeaderParser().parsebytes(envelope.content)["Message-ID"]
        self.received[message_id.strip("<>").rpartition("@")[0]] += 1
        return "250 OK"
