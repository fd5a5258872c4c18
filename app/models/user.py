"""An account. Its e-mail address is unique without regard to case; its tokens carry `token_version`."""

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, mapped_column

from app.db import session
from app.models.base import NumberedModel


class User(NumberedModel):
    __tablename__ = "users"
    PUBLIC = ("id", "email", "created_at", "updated_at")

    email: Mapped[str] = mapped_column(String(254))  # as it was given: what mail is sent to
    email_key: Mapped[str] = mapped_column(String(254), unique=True)  # what it is compared by
    password_hash: Mapped[str] = mapped_column(String(255))
    token_version: Mapped[int] = mapped_column(default=1)  # raising it ends every token of the account

    @staticmethod
    def key_of(email: str) -> str:
        return email.strip().casefold()

    @classmethod
    def find_by_email(cls, email: str) -> "User | None":
        return session.scalars(select(cls).where(cls.email_key == cls.key_of(email))).one_or_none()
