"""An address that wants no more campaigns from an account."""

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import BigId, NumberedModel


class Unsubscription(NumberedModel):
    __tablename__ = "unsubscriptions"
    __table_args__ = (Index("uq_unsubscriptions_user_id_email_key", "user_id", "email_key", unique=True),)

    user_id: Mapped[int] = mapped_column(BigId, ForeignKey("users.id", ondelete="CASCADE"))
    email_key: Mapped[str] = mapped_column(String(254))  # as `User.key_of` makes it
