"""One mail to many guests of an event, and how far it is."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ColumnElement, ForeignKey, Index, String, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import BigId, NumberedModel
from app.models.event import Event

STATUSES = ("draft", "scheduled", "sending", "paused", "done", "cancelled")
UNDER_WAY = ("scheduled", "sending", "paused")
POLICIES = ("leave", "send_again")  # what becomes of a message of which nobody knows whether it was sent


class Campaign(NumberedModel):
    __tablename__ = "campaigns"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="status"),
        CheckConstraint(f"if_unknown IN {POLICIES}", name="if_unknown"),
        Index(None, "user_id", "created_at", "id"),
        Index(None, "event_id"),
    )
    __repr_attrs__ = ["status"]
    PUBLIC = (
        "id",
        "name",
        "description",
        "active",
        "event_id",
        "subject",
        "body",
        "audience",
        "attachment",
        "messages_per_minute",
        "if_unknown",
        "status",
        "fault",
        "job_id",
        "scheduled_at",
        "started_at",
        "finished_at",
        "created_at",
        "updated_at",
    )
    FILTERS = ("user_id", "event_id", "status", "active")
    SORTS = ("id", "created_at", "updated_at")

    user_id: Mapped[int] = mapped_column(BigId, ForeignKey("users.id", ondelete="CASCADE"))
    event_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("events.id", ondelete="SET NULL"))
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="")
    active: Mapped[bool] = mapped_column(default=True)  # one that is not can't be launched
    subject: Mapped[str] = mapped_column(String(500), default="")  # templates, see helpers/templates.py
    body: Mapped[str] = mapped_column(Text, default="")
    audience: Mapped[dict[str, list[str]]] = mapped_column(
        JSON, default=dict
    )  # {"status": […], "role": […]}: {} is all
    attachment: Mapped[str | None] = mapped_column(String(64))  # the sha256 of a file of the account
    messages_per_minute: Mapped[int | None]  # None: as many as the mail server takes
    if_unknown: Mapped[str] = mapped_column(String(16), default="leave")
    status: Mapped[str] = mapped_column(String(16), default="draft")
    fault: Mapped[str | None] = mapped_column(String(500))  # why it was paused, if nobody asked for that
    job_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))  # the job that sends it, past or present
    scheduled_at: Mapped[datetime | None]  # not before this moment
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    next_message_at: Mapped[datetime | None]  # not before, for messages_per_minute's sake

    event: Mapped[Event | None] = relationship()

    @classmethod
    def visible_to(cls, actor: Any) -> ColumnElement[bool]:
        return cls.user_id == int(actor.id)

    @property
    def is_under_way(self) -> bool:
        return self.status in UNDER_WAY
