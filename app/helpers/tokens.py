"""The signed token that says which account a request comes from. It holds no secret and needs no table."""

from itsdangerous import BadData, URLSafeTimedSerializer

from app.config import settings
from app.errors import Unauthenticated
from app.models import User


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(settings().secret_key, salt="accepted.token")


def make_token(user: User) -> str:
    return str(_signer().dumps([user.id, user.token_version]))


def user_of(token: str) -> User:
    """The account that the token was made for; Unauthenticated if it is forged, expired, or was ended."""
    try:
        user_id, version = _signer().loads(token, max_age=settings().token_days * 86400)
    except (BadData, ValueError, TypeError):
        raise Unauthenticated from None
    user = User.find(user_id)
    if user is None or user.token_version != version:
        raise Unauthenticated
    return user
