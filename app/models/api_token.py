"""A named token of an account, for its scripts: with scopes, perhaps an end, and a secret of which only the hash is
kept. The token that signing in gives is none of these: it is signed and needs no row (`helpers/tokens.py`)."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, ColumnElement, ForeignKey, Index, String, or_, update
from sqlalchemy.orm import Mapped, mapped_column

from app.db import session
from app.models.base import BigId, NumberedModel, now

SCOPES = (
    "tasks:read",
    "tasks:write",
    "events:read",
    "events:write",
    "campaigns:read",
    "campaigns:write",
    "files:read",
    "files:write",
    "jobs:read",
    "jobs:write",
    "user:read",
    "user:write",
)
USE_NOTED_EVERY = timedelta(minutes=1)


class ApiToken(NumberedModel):
    __tablename__ = "api_tokens"
    __table_args__ = (Index(None, "user_id", "created_at", "id"),)
    __repr_attrs__ = ["name"]
    PUBLIC = ("id", "name", "scopes", "expires_at", "last_used_at", "created_at")
    FILTERS = ("user_id",)
    SORTS = ("id", "created_at")

    user_id: Mapped[int] = mapped_column(BigId, ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(100))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)  # SHA-256: the secret is random and long
    scopes: Mapped[list[str]] = mapped_column(JSON)
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]  # to the minute

    @classmethod
    def visible_to(cls, actor: Any) -> ColumnElement[bool]:
        return cls.user_id == int(actor.id)

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= now()

    @property
    def is_use_to_be_noted(self) -> bool:
        return self.last_used_at is None or self.last_used_at <= now() - USE_NOTED_EVERY

    @classmethod
    def note_use(cls, token_id: int) -> None:
        """Conditional: of the requests that come at once, one writes."""
        stale = or_(cls.last_used_at.is_(None), cls.last_used_at <= now() - USE_NOTED_EVERY)
        statement = update(cls).where(cls.id == token_id, stale).values(last_used_at=now())
        session.execute(statement.execution_options(synchronize_session=False))
