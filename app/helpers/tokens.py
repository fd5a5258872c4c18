"""Who a token stands for. Signing in gives a signed one, which holds no secret and needs no table; a script has a named
one, `acc_…`, of which the database knows the hash."""

import hashlib
import secrets
from typing import NamedTuple

from itsdangerous import BadData, URLSafeTimedSerializer
from sqlalchemy import select

from app.config import settings
from app.db import session
from app.errors import Unauthenticated
from app.models import ApiToken, User

# Prefixes by which people, secret scanners and scrub.py know what they see.
API_TOKEN = "acc_"  # noqa: S105  # no secret itself
RESET_CODE = "acr_"


class Caller(NamedTuple):
    user: User
    token: ApiToken | None = None  # None for the token of signing in, which may do everything


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(settings().secret_key, salt="accepted.token")


def make_token(user: User, version: int | None = None) -> str:
    """Good until the account's `token_version` is another one: the present one, or the one that is given."""
    return str(_signer().dumps([user.id, version or user.token_version]))


def new_secret(prefix: str) -> str:
    """256 random bits: nobody guesses them, so a plain hash keeps them well."""
    return prefix + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a secret, and what it is found by."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def caller_of(token: str) -> Caller:
    """Whom the token was made for; Unauthenticated if it is forged, expired, or was ended."""
    return _of_api_token(token) if token.startswith(API_TOKEN) else Caller(_of_signed_token(token))


def _of_api_token(token: str) -> Caller:
    query = (
        select(User, ApiToken).join(ApiToken, ApiToken.user_id == User.id).where(ApiToken.token_hash == digest(token))
    )
    row = session.execute(query).one_or_none()
    if row is None or row[1].is_expired:
        raise Unauthenticated
    return Caller(*row)


def _of_signed_token(token: str) -> User:
    try:
        user_id, version = _signer().loads(token, max_age=settings().token_days * 86400)
    except (BadData, ValueError, TypeError):
        raise Unauthenticated from None
    user = User.find(user_id)
    if user is None or user.token_version != version:
        raise Unauthenticated
    return user
