"""Named tokens, for people's scripts."""

from typing import Any

from app.errors import ValidationFailed
from app.helpers.tokens import API_TOKEN, digest, new_secret
from app.helpers.validation import parse_moment
from app.models import ApiToken, User
from app.models.api_token import SCOPES
from app.models.base import now


def create(user: User, fields: dict[str, Any]) -> tuple[ApiToken, str]:
    """The token's row and its secret, which is nowhere but in the answer."""
    expires_at = parse_moment(fields["expires_at"]) if fields.get("expires_at") else None
    if expires_at is not None and expires_at <= now():
        raise ValidationFailed(errors=[{"detail": "must be in the future", "pointer": "#/expires_at"}])
    secret = new_secret(API_TOKEN)
    scopes = [scope for scope in SCOPES if scope in fields["scopes"]]
    token = ApiToken.create(
        user_id=user.id, name=fields["name"].strip(), token_hash=digest(secret), scopes=scopes, expires_at=expires_at
    )
    return token, secret
