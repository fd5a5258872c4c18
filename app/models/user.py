"""An account. Its e-mail address is unique without regard to case; its signed tokens carry `token_version`; its role
says whether it is one of the people who run the server."""

import secrets
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, String, select, update
from sqlalchemy.orm import Mapped, mapped_column

from app.db import session
from app.models.base import NumberedModel

ROLES = ("user", "operator", "admin")  # operators, and admins, see and steer everybody's jobs


class User(NumberedModel):
    __tablename__ = "users"
    __table_args__ = (CheckConstraint(f"role IN {ROLES}", name="role"),)
    PUBLIC = ("id", "email", "role", "created_at", "updated_at")

    email: Mapped[str] = mapped_column(String(254))  # as it was given: what mail is sent to
    email_key: Mapped[str] = mapped_column(String(254), unique=True)  # what it is compared by
    password_hash: Mapped[str] = mapped_column(String(255))
    # Raising it ends every signed token of the account. It starts anywhere: SQLite gives a deleted account's number to
    # the next one, and the tokens of the one must not open the other.
    token_version: Mapped[int] = mapped_column(default=lambda: 1 + secrets.randbelow(2**30))
    role: Mapped[str] = mapped_column(String(16), default="user", server_default="user")

    @staticmethod
    def key_of(email: str) -> str:
        return email.strip().casefold()

    @classmethod
    def find_by_email(cls, email: str, *, lock: bool = False) -> "User | None":
        """`lock` keeps others from changing it until the transaction ends."""
        query = select(cls).where(cls.email_key == cls.key_of(email))
        return session.scalars(query.with_for_update() if lock else query).one_or_none()

    @classmethod
    def visible_to(cls, actor: Any) -> ColumnElement[bool]:
        return cls.id == int(actor.id)

    @property
    def is_operator(self) -> bool:
        return self.role in ("operator", "admin")

    def end_sessions(self) -> None:
        """Ends every signed token, whoever else is changing the account: the database counts."""
        session.execute(update(User).where(User.id == self.id).values(token_version=User.token_version + 1))
