"""Password hashes (Argon2id), and the same work for an account that does not exist."""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from app.config import settings


@cache
def _hasher(cheap: bool) -> PasswordHasher:
    return PasswordHasher(time_cost=1, memory_cost=64, parallelism=1) if cheap else PasswordHasher()


def _current() -> PasswordHasher:
    return _hasher(settings().app_env == "test")  # tests hash a lot and protect nothing


def hash_password(password: str) -> str:
    return _current().hash(password)


def matches(password_hash: str | None, password: str) -> bool:
    """Whether the password is right. None, for no such account, takes as long as a wrong password."""
    try:
        return _current().verify(password_hash or _nobody(), password) and password_hash is not None
    except (Argon2Error, InvalidHashError):
        return False


@cache
def _nobody() -> str:
    return hash_password("nobody has this password")
