"""What guests are invited to."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Computed, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import BigId, NumberedModel, now

START_ORDER = "coalesce(starts_at, '9999-12-31 23:59:59.999999')"


class Event(NumberedModel):
    __tablename__ = "events"
    __table_args__ = (Index(None, "user_id", "created_at", "id"), Index(None, "user_id", "start_order", "id"))
    PUBLIC = ("id", "name", "starts_at", "place", "created_at", "updated_at")
    FILTERS = ("user_id", "starts_at")
    SORTS = ("id", "created_at", "updated_at", "starts_at")
    SORT_COLUMNS = {"starts_at": "start_order"}

    user_id: Mapped[int] = mapped_column(BigId, ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(200))
    starts_at: Mapped[datetime | None]
    start_order: Mapped[datetime] = mapped_column(Computed(START_ORDER, persisted=True))  # those without one are last
    place: Mapped[str | None] = mapped_column(String(500))

    @classmethod
    def visible_to(cls, actor: Any) -> ColumnElement[bool]:
        return cls.user_id == int(actor.id)

    @property
    def has_started(self) -> bool:
        return self.starts_at is not None and self.starts_at <= now()
