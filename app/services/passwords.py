"""Setting a new password by a code that was mailed. That somebody asked says nothing of whether the account exists: the
request does the same for every address, and the job looks."""

from datetime import timedelta

from sqlalchemy import delete, select

from app.db import session
from app.errors import ValidationFailed
from app.helpers.passwords import hash_password
from app.helpers.tokens import RESET_CODE, digest, new_secret
from app.models import PasswordReset, User
from app.models.base import now
from app.queue import enqueue
from app.services import users

GOOD_FOR = timedelta(hours=1)


def ask(email: str) -> None:
    enqueue("passwords.mail_reset", email=email)


def issue(user: User) -> str:
    """A new code, which is nowhere but in the answer. `user` is locked."""
    code = new_secret(RESET_CODE)
    expired = (PasswordReset.user_id == user.id, PasswordReset.expires_at <= now())
    session.execute(delete(PasswordReset).where(*expired))
    session.add(PasswordReset(code_hash=digest(code), user_id=user.id, expires_at=now() + GOOD_FOR))
    return code


def redeem(code: str, password: str) -> User:
    """The code's account, with the new password; ValidationFailed, in the same words, for a code that is wrong, used or
    expired. Of two who use it at once, one deletes its row. The account is locked first, as everywhere."""
    password_hash = hash_password(password)  # before the first statement: SQLite's write lock waits for no hash
    good = (PasswordReset.code_hash == digest(code.strip()), PasswordReset.expires_at > now())
    user_id = session.scalar(select(PasswordReset.user_id).where(*good))
    user = session.get(User, user_id, with_for_update=True) if user_id else None
    used = delete(PasswordReset).where(*good).returning(PasswordReset.user_id)
    if user is None or session.scalar(used) is None:
        raise ValidationFailed(errors=[{"detail": "is wrong, used or expired", "pointer": "#/code"}])
    users.recover(user, password_hash)
    return user
