"""Sends one mail: over SMTP where `SMTP_URL` is set, else into a file under `DATA_DIR/mail`."""

import os
import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from pathlib import Path
from urllib.parse import unquote, urlsplit

from app.config import settings
from app.models.base import now

TIMEOUT_SECONDS = 20


def send(to: str, subject: str, text: str, *, key: str) -> None:
    """Sends `text` to one address. The same `key` gives the same Message-ID, so that a repeat can be told, and in the
    folder replaces the first. Raises OSError or smtplib.SMTPException."""
    sender = settings().mail_from
    message = EmailMessage()
    message["From"] = sender
    message["To"] = to
    message["Subject"] = " ".join(subject.split())[:200]
    message["Date"] = format_datetime(now())
    message["Message-ID"] = f"<{key}@{parseaddr(sender)[1].rpartition('@')[2] or 'localhost'}>"
    message.set_content(text)
    url = settings().smtp_url
    if url is None:
        _write(message, settings().data_dir / "mail", key)
    else:
        _deliver(message, url)


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
