"""A mail server, by SMTP. smtplib's single steps, since what an error means depends on how far the mail was:

| step | no connection, silence, 421 | 4xx | 5xx |
|---|---|---|---|
| connect, TLS, log in | Away | Away | Away |
| MAIL, RCPT, DATA, the mail up to its end | Away | Refused | Refused, for good (530, "log in first": Away) |
| the answer to its end | Unsure (421: Away) | Refused | Refused, for good |
"""

import re
import smtplib
import ssl
from contextlib import suppress
from typing import Self
from urllib.parse import unquote, urlsplit

from app.helpers import mailer
from app.helpers.mailer import Away, Mail, Refused, Unsure

TIMEOUT_SECONDS = 20  # of each step
READY_FOR_DATA = 354
CLOSING, LOG_IN_FIRST = 421, 530
BROKEN = (OSError, ValueError)  # smtplib's own errors are OSErrors; it raises ValueError for what is no ASCII
AT_LINE_START = re.compile(rb"(?m)^\.")


class SmtpOutlet:
    """One connection, kept from mail to mail."""

    def __init__(self, url: str):
        self._url = urlsplit(url)
        self._server: smtplib.SMTP | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def hand_over(self, mail: Mail) -> None:
        """A kept connection may have ended since the last mail: only what a new one says counts."""
        was_kept = self._server is not None
        try:
            self._hand_over(mail)
        except Away:
            if not was_kept:
                raise
            self._hand_over(mail)

    def close(self) -> None:
        """Says goodbye, and waits for no answer."""
        if self._server is not None:
            with suppress(*BROKEN):
                self._server.putcmd("quit")
            self._drop()

    def _hand_over(self, mail: Mail) -> None:
        server = self._ready()
        sender = mailer.sender_address()
        is_plain = sender.isascii() and mail.to.isascii()
        if not is_plain and not server.has_extn("smtputf8"):
            raise Refused("The mail server takes no addresses with letters beyond ASCII (SMTPUTF8).", is_final=True)
        data = mailer.write(mail, utf8=not is_plain, is_8bit=server.has_extn("8bitmime"))
        offered = {"size": f"SIZE={len(data)}", "8bitmime": "BODY=8BITMIME"} | (
            {} if is_plain else {"smtputf8": "SMTPUTF8"}
        )
        options = [word for extension, word in offered.items() if server.has_extn(extension)]
        try:
            self._expect(server.mail(sender, options))
            self._expect(server.rcpt(mail.to))
            self._expect(server.docmd("data"), READY_FOR_DATA)
            # If this raises, the last line, without which a server takes no mail, has not left the house.
            server.send(_with_end(data))
        except BROKEN as error:
            self._drop()
            raise Away(f"The mail server was lost: {_words(error)}") from error
        try:
            code, text = server.getreply()
        except BROKEN as error:
            self._drop()
            raise Unsure(f"The mail server was lost before it answered: {_words(error)}") from error
        self._judge(code, text)

    def _judge(self, code: int, text: bytes) -> None:
        """The answer to the whole mail."""
        if not 200 <= code < 300 and not 400 <= code < 600:
            self._drop()
            raise Unsure(f"The mail server's answer makes no sense: {_said(code, text)}")
        self._expect((code, text))

    def _expect(self, answer: tuple[int, bytes], wanted: int = 250) -> None:
        """Raises Refused or Away unless the answer is of the wanted kind."""
        code, text = answer
        if code // 100 == wanted // 100:
            return
        if code in (CLOSING, LOG_IN_FIRST) or not 400 <= code < 600:
            self._drop()
            raise Away(f"The mail server takes no mail: {_said(code, text)}")
        raise Refused(f"The mail server said: {_said(code, text)}", is_final=code >= 500)

    def _ready(self) -> smtplib.SMTP:
        """The connection, new or known to be alive, and at the beginning of a mail."""
        if self._server is not None:
            with suppress(*BROKEN):
                code, _ = self._server.rset()
                if code == 250:
                    return self._server
            self._drop()
        try:
            self._open()
        except BROKEN as error:
            self._drop()
            raise Away(f"The mail server can't be reached: {_words(error)}") from error
        assert self._server is not None
        return self._server

    def _open(self) -> None:
        url, host = self._url, self._url.hostname or "localhost"
        if url.scheme == "smtps":
            tls = ssl.create_default_context()
            self._server = smtplib.SMTP_SSL(host, url.port or 465, timeout=TIMEOUT_SECONDS, context=tls)
        else:
            self._server = smtplib.SMTP(host, url.port or 25, timeout=TIMEOUT_SECONDS)
        self._server.ehlo_or_helo_if_needed()
        if url.scheme == "smtp" and (self._server.has_extn("starttls") or url.username):
            self._server.starttls(context=ssl.create_default_context())  # a password never travels in the clear
            self._server.ehlo_or_helo_if_needed()
        if url.username:
            self._server.login(unquote(url.username), unquote(url.password or ""))

    def _drop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None


def _with_end(data: bytes) -> bytes:
    """As RFC 5321 wants it: a line of one dot ends the mail, so any other line that begins with one gets another."""
    end = b".\r\n" if data.endswith(b"\r\n") else b"\r\n.\r\n"
    return AT_LINE_START.sub(b"..", data) + end


def _said(code: int, text: bytes) -> str:
    return f"{code} {' '.join(text.decode('utf-8', 'replace').split())}"


def _words(error: Exception) -> str:
    """smtplib's errors with an answer in them are tuples."""
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error
        return _said(error.smtp_code, text if isinstance(text, bytes) else str(text).encode())
    return str(error) or type(error).__name__
