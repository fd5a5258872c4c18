"""Accounts: signing up and in, changing what opens them, and leaving."""

from typing import NamedTuple

from sqlalchemy import delete as delete_rows
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import load_only

from app.db import session
from app.errors import EmailInUse, Forbidden, Unauthenticated
from app.helpers.passwords import hash_password, matches
from app.models import ApiToken, Job, PasswordReset, User
from app.models.job import WAITING
from app.queue import outbox

WRONG_PASSWORD = "The current password is wrong."  # noqa: S105  # no password itself


class Confirmed(NamedTuple):
    """A wish that came with the account's password, whose hash it was compared with; and the hash of the new one."""

    known_hash: str
    new_hash: str | None


def sign_up(email: str, password: str, role: str = "user") -> User:
    """A new account; EmailInUse if there is one with this address, in whatever case."""
    password_hash = hash_password(password)  # before the first statement: SQLite's write lock waits for no hash
    if User.find_by_email(email) is not None:
        raise EmailInUse
    try:
        with session.begin_nested():
            key = User.key_of(email)
            return User.create(email=email.strip(), email_key=key, password_hash=password_hash, role=role)
    except IntegrityError:  # somebody signed up with it in between
        raise EmailInUse from None


def authenticate(email: str, password: str) -> User:
    """The account; Unauthenticated, in the same words and time, for an unknown address and a wrong password."""
    user = User.find_by_email(email)
    known_hash = user.password_hash if user else None
    _let_go(user)
    if user is None or not matches(known_hash, password):
        if user is None:
            matches(None, password)
        raise Unauthenticated("The e-mail address or the password is wrong.")
    return user


def confirm(user: User, password: str, new_password: str | None = None) -> Confirmed:
    """What `change` and `delete` ask for; Forbidden if it is not the account's password. Call it first: it ends the
    transaction, since hashes take their time."""
    known_hash = user.password_hash
    _let_go(user)
    if not matches(known_hash, password):
        raise Forbidden(WRONG_PASSWORD)
    return Confirmed(known_hash, hash_password(new_password) if new_password is not None else None)


def _let_go(user: User | None) -> None:
    """Ends the transaction before a hash: nobody shall wait for it meanwhile. What was read of the account stays."""
    if user is not None:
        session.expunge(user)
    session.rollback()


def change(user: User, confirmed: Confirmed, email: str | None = None) -> User:
    """A new address, a new password, or both. Codes that were mailed are worth nothing then: whoever reads the old
    mailbox must not get in. `user` is locked."""
    _check_still(user, confirmed)
    if email is not None:
        _move(user, email)
    if confirmed.new_hash is not None:
        set_password(user, confirmed.new_hash)
    return user


def set_password(user: User, password_hash: str) -> None:
    """Ends every session, and every code that was mailed. Named tokens stay: they are no sessions. `user` is locked."""
    user.password_hash = password_hash
    user.token_version += 1
    _forget_codes(user)


def recover(user: User, password_hash: str) -> None:
    """A new password for somebody who did not know the old one. Perhaps a thief changed it, and made tokens, too: they
    end with the sessions."""
    set_password(user, password_hash)
    session.execute(delete_rows(ApiToken).where(ApiToken.user_id == user.id))


def delete(user: User, confirmed: Confirmed | None = None) -> None:
    """The account and everything that is its: the database's own rules take it along. Jobs that wait do not run; one
    that runs ends at its next checkpoint. Without a confirmation it is an administrator's doing."""
    if confirmed is not None:
        _check_still(user, confirmed)
    waiting = select(Job).where(Job.account_id == user.id, Job.status.in_(WAITING))
    for job in session.scalars(waiting.options(load_only(Job.id, Job.queue))):
        outbox.forget_after_commit(job)
    user.delete()


def _check_still(user: User, confirmed: Confirmed) -> None:
    """Somebody may have changed the password between the comparison and the lock."""
    if user.password_hash != confirmed.known_hash:
        raise Forbidden(WRONG_PASSWORD)


def _move(user: User, email: str) -> None:
    if User.find_by_email(email) not in (None, user):
        raise EmailInUse
    try:
        with session.begin_nested():
            user.email, user.email_key = email.strip(), User.key_of(email)
            session.flush()
    except IntegrityError:  # somebody took it in between
        raise EmailInUse from None
    _forget_codes(user)


def _forget_codes(user: User) -> None:
    session.execute(delete_rows(PasswordReset).where(PasswordReset.user_id == user.id))
