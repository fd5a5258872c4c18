"""Signed links: who has one may do what it is for. Nothing is stored of them."""

from datetime import datetime
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from app.config import settings
from app.models.base import now

# Each kind by the mark in front, by which people, secret scanners and scrub.py know what they see, and its salt.
FILE = ("acl_", "accepted.link")
INVITATION = ("aci_", "accepted.invitation")
UNSUBSCRIBE = ("acu_", "accepted.unsubscribe")


def sign(key: str, expires_at: datetime) -> str:
    """Gives the blob of this key until then."""
    return _sign(FILE, [key, int(expires_at.timestamp())])


def read(token: str) -> str | None:
    """The blob's key; None if the link is forged or has expired."""
    found = _read(FILE, token)
    return str(found[0]) if found and now().timestamp() < found[1] else None


def invitation_url(link_key: str) -> str:
    """The page of the guest who has this `link_key`."""
    return f"{settings().public_url}/invitations/{_sign(INVITATION, link_key)}"


def read_invitation(token: str) -> str | None:
    """The `link_key`; None if the link is forged."""
    found = _read(INVITATION, token)
    return str(found) if found else None


def unsubscribe_url(user_id: int, email_key: str) -> str:
    """Where this address ends all campaigns of this account."""
    return f"{settings().public_url}/unsubscribe/{_sign(UNSUBSCRIBE, [user_id, email_key])}"


def read_unsubscribe(token: str) -> tuple[int, str] | None:
    """The account and the address; None if the link is forged."""
    found = _read(UNSUBSCRIBE, token)
    return (int(found[0]), str(found[1])) if found else None


def _sign(kind: tuple[str, str], data: Any) -> str:
    mark, salt = kind
    return mark + str(URLSafeSerializer(settings().secret_key, salt=salt).dumps(data))


def _read(kind: tuple[str, str], token: str) -> Any:
    """What was signed, or None."""
    mark, salt = kind
    if not token.startswith(mark):
        return None
    try:
        return URLSafeSerializer(settings().secret_key, salt=salt).loads(token.removeprefix(mark))
    except (BadData, ValueError, TypeError):
        return None
