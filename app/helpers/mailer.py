"""Mails: what one is made of, and the ways out. An *outlet* is SMTP where `SMTP_URL` is set (`smtp.py`), else a folder
(`mail_folder.py`).

What goes wrong is told apart by what is known of the mail: it was refused, it certainly was not sent, or nobody knows.
"""

from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, default
from email.utils import format_datetime, parseaddr
from typing import Protocol, Self

from app.config import settings
from app.errors import AppError, Unavailable
from app.models.base import now

UNBROKEN = default.clone(max_line_length=998)  # the body's lines, as long as RFC 5322 allows: a link stays a link
LONGEST_REASON = 400  # characters of what a mail server said


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


class Refused(AppError):
    """The mail server does not take this mail."""

    # For good, this is a refusal like any other: a job that meets it fails at once. For now, it is tried again.
    status, slug, title = 422, "mail-refused", "Mail refused"

    def __init__(self, text: str, is_final: bool):
        super().__init__(text[:LONGEST_REASON])
        self.is_final = is_final
        if not is_final:
            self.status = Unavailable.status


class Away(Unavailable):
    """The mail server takes no mail at the moment. This one certainly was not sent; the next one would not be."""

    def __init__(self, text: str):
        super().__init__(text[:LONGEST_REASON])


class Unsure(Unavailable):
    """The mail went out, and the mail server's answer never came. Nobody knows whether it has the mail."""

    def __init__(self, text: str):
        super().__init__(text[:LONGEST_REASON])


class Outlet(Protocol):
    """A way out that is kept open for many mails, of one thread at a time. It opens with the first."""

    def hand_over(self, mail: Mail) -> None:
        """Returns when the mail was taken. Raises Refused, Away or Unsure."""

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def open_outlet() -> Outlet:
    """The way out that the settings name. Each imports only what it needs."""
    url = settings().smtp_url
    if url is not None:
        from app.helpers.smtp import SmtpOutlet  # noqa: PLC0415

        return SmtpOutlet(url)
    from app.helpers.mail_folder import MailFolder  # noqa: PLC0415

    return MailFolder(settings().data_dir / "mail")


def send(mail: Mail) -> None:
    """Sends one mail. Raises Refused, Away or Unsure."""
    with open_outlet() as outlet:
        outlet.hand_over(mail)


def sender_address() -> str:
    return parseaddr(settings().mail_from)[1]


def compose(mail: Mail) -> EmailMessage:
    """As it goes out."""
    message = EmailMessage(policy=UNBROKEN)
    message["From"] = settings().mail_from
    local, _, domain = mail.to.rpartition("@")
    message["To"] = Address(mail.name, local, domain)
    message["Subject"] = " ".join(mail.subject.split())[:200]
    message["Date"] = format_datetime(now())
    message["Message-ID"] = f"<{mail.key}@{sender_address().rpartition('@')[2] or 'localhost'}>"
    message.set_content(mail.text)
    if mail.attached is not None:
        kind, _, subtype = mail.attached.type.partition("/")
        message.add_attachment(mail.attached.data, maintype=kind, subtype=subtype, filename=mail.attached.name)
    return message


def write(mail: Mail, *, utf8: bool, is_8bit: bool = True) -> bytes:
    """The bytes that go out; Refused, for good, if there is something in it that no mail can hold. `utf8` headers are
    for who knows them (RFC 6532)."""
    try:
        # As they are: the library would write a long address as encoded words, and mail programs look for a link.
        extra = "".join(f"{name}: {value}\r\n" for name, value in mail.headers).encode("ascii")
        return extra + compose(mail).as_bytes(policy=SMTP.clone(utf8=utf8, cte_type="8bit" if is_8bit else "7bit"))
    except (ValueError, LookupError, MessageError) as error:
        raise Refused(f"No mail can be made of it: {error}", is_final=True) from error
