"""A code that was mailed to set a new password with: its hash, and when it expires. Several of one account may be good
at once, so that no later mail spoils an earlier one; using one ends them all."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigId


class PasswordReset(Base):
    __tablename__ = "password_resets"

    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)  # SHA-256
    user_id: Mapped[int] = mapped_column(BigId, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[datetime]
