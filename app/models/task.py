"""A to-do of one account, with a due date that brings a reminder by mail."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Computed, ForeignKey, Index, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import BigId, NumberedModel
from app.models.user import User

DUE_ORDER = "coalesce(due_at, '9999-12-31 23:59:59.999999')"


class Task(NumberedModel):
    __tablename__ = "tasks"
    __table_args__ = (Index(None, "user_id", "created_at", "id"), Index(None, "user_id", "due_order", "id"))
    __repr_attrs__ = ["done"]
    PUBLIC = ("id", "text", "done", "due_at", "event_id", "reminder_job_id", "created_at", "updated_at")
    FILTERS = ("user_id", "done", "due_at", "event_id")
    SORTS = ("id", "created_at", "updated_at", "due_at")
    SORT_COLUMNS = {"due_at": "due_order"}

    user_id: Mapped[int] = mapped_column(BigId, ForeignKey("users.id", ondelete="CASCADE"))
    text: Mapped[str] = mapped_column(Text)
    done: Mapped[bool] = mapped_column(default=False)
    due_at: Mapped[datetime | None]
    due_order: Mapped[datetime] = mapped_column(Computed(DUE_ORDER, persisted=True))  # sorts those without one last
    event_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("events.id", ondelete="SET NULL"), index=True)
    reminder_job_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))  # the job that reminds, past or planned

    user: Mapped[User] = relationship()

    @classmethod
    def visible_to(cls, actor: Any) -> ColumnElement[bool]:
        return cls.user_id == int(actor.id)

    @property
    def wants_reminder(self) -> bool:
        return not self.done and self.due_at is not None
