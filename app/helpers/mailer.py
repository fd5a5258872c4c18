"""Sends one mail: over SMTP where `SMTP_URL` is set, else into a file under `DATA_DIR/mail`."""

import os
import smtplib
import ssl
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from pathlib import Path
from urllib.parse import unquote, urlsplit

from app.config import settings
from app.models.base import now

TIMEOUT_SECONDS = 20


@dataclass(frozen=True)
class Attached:
    name: str
    type: str  # a media type
    data: bytes


@dataclass(frozen=True)
class Mail:
    """The same `key` gives the same Message-ID, so that a repeat can be told; in the folder it replaces the first."""

    to: str
    subject: str
    text: str
    key: str  # letters, digits, - . _
    name: str = ""  # of whom it is for
    headers: tuple[tuple[str, str], ...] = ()
    attached: Attached | None = None


def send(mail: Mail) -> None:
    """Sends one mail. Raises OSError or smtplib.SMTPException."""
    message, key = compose(mail), mail.key
    url = settings().smtp_url
    if url is None:
        _write(message, settings().data_dir / "mail", key)
    else:
        _deliver(message, url)


def compose(mail: Mail) -> EmailMessage:
    """As it goes out."""
    sender = settings().mail_from
    message = EmailMessage()
    message["From"] = sender
    message["To"] = Address(mail.name, addr_spec=mail.to) if mail.name else mail.to
    message["Subject"] = " ".join(mail.subject.split())[:200]
    message["Date"] = format_datetime(now())
    message["Message-ID"] = f"<{mail.key}@{parseaddr(sender)[1].rpartition('@')[2] or 'localhost'}>"
    for name, value in mail.headers:
        message[name] = value
    message.set_content(mail.text)
    if mail.attached is not None:
        kind, _, subtype = mail.attached.type.partition("/")
        message.add_attachment(mail.attached.data, maintype=kind, subtype=subtype, filename=mail.attached.name)
    return message


def _write(message: EmailMessage, folder: Path, key: str) -> None:
    """Whole or not at all: written beside its place, then moved."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{key}.{os.getpid()}"
    draft.write_bytes(message.as_bytes(policy=SMTP.clone(utf8=True)))
    draft.rename(folder / f"{key}.eml")


def _deliver(message: EmailMessage, url: str) -> None:
    parts = urlsplit(url)
    host, tls = parts.hostname or "localhost", ssl.create_default_context()
    server: smtplib.SMTP
    if parts.scheme == "smtps":
        server = smtplib.SMTP_SSL(host, parts.port or 465, timeout=TIMEOUT_SECONDS, context=tls)
    else:
        server = smtplib.SMTP(host, parts.port or 25, timeout=TIMEOUT_SECONDS)
    with server:
        server.ehlo()
        if (parts.scheme == "smtp" and server.has_extn("starttls")) or (parts.username and parts.scheme == "smtp"):
            server.starttls(context=tls)  # a password never travels in the clear
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(message)
