"""Accounts: signing up, signing in."""

from sqlalchemy.exc import IntegrityError

from app.db import session
from app.errors import EmailInUse, Unauthenticated
from app.helpers.passwords import hash_password, matches
from app.models import User


def sign_up(email: str, password: str) -> User:
    """A new account; EmailInUse if there is one with this address, in whatever case."""
    password_hash = hash_password(password)  # before the first statement: SQLite's write lock waits for no hash
    if User.find_by_email(email) is not None:
        raise EmailInUse
    try:
        with session.begin_nested():
            return User.create(email=email.strip(), email_key=User.key_of(email), password_hash=password_hash)
    except IntegrityError:  # somebody signed up with it in between
        raise EmailInUse from None


def authenticate(email: str, password: str) -> User:
    """The account; Unauthenticated, in the same words and time, for an unknown address and a wrong password."""
    user = User.find_by_email(email)
    known_hash = user.password_hash if user else None
    session.rollback()  # the hash takes its time: nobody shall wait for our transaction meanwhile
    if user is None or not matches(known_hash, password):
        if user is None:
            matches(None, password)
        raise Unauthenticated("The e-mail address or the password is wrong.")
    return user
