"""A client's own key for one POST, with the answer that it got. Written in the same transaction as the work."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigId, now


class IdempotencyKey(Base):
    __tablename__ = "idempotency_keys"

    scope: Mapped[str] = mapped_column(String(64), primary_key=True)  # SHA-256 of account, route and key
    fingerprint: Mapped[str] = mapped_column(String(64))  # SHA-256 of the canonical body
    account_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    status: Mapped[int | None]
    location: Mapped[str | None] = mapped_column(Text)
    body: Mapped[str | None] = mapped_column(Text)  # without its token, if there was one
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
