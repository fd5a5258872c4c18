"""One mail to many guests of an event, and how far it is.

draft ─launch─► scheduled ─its time has come─► sending ─nothing is left to send─► done
                 or sending at once
scheduled, sending ─pause, or its job failed─► paused ─resume─► scheduled, sending
scheduled, sending, paused ─cancel─► cancelled
paused, done, cancelled ─retry─► sending
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ColumnElement, ForeignKey, Index, String, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.errors import Conflict
from app.models.base import BigId, NumberedModel, now
from app.models.event import Event

STATUSES = ("draft", "scheduled", "sending", "paused", "done", "cancelled")
UNDER_WAY = ("scheduled", "sending", "paused")
MOVES = {  # what can be done to a campaign, and in which states
    "launch": ("draft",),
    "pause": ("scheduled", "sending"),
    "resume": ("paused",),
    "cancel": UNDER_WAY,
    "retry": ("paused", "done", "cancelled"),
    "finish": UNDER_WAY,
    "halt": UNDER_WAY,
    "delete": ("draft", "done", "cancelled"),
}
CHANGEABLE = ("name", "description", "active", "messages_per_minute")  # after the launch, until the end
LONGEST_FAULT = 500
LINKS = ("recipients", "preview", "launch", "pause", "resume", "cancel", "retry")
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
    # {"status": […], "role": […]}, of guests; what is left out does not matter.
    audience: Mapped[dict[str, list[str]]] = mapped_column(JSON, default=dict)
    attachment: Mapped[str | None] = mapped_column(String(64))  # the sha256 of a file of the account
    messages_per_minute: Mapped[int | None]  # None: as many as the mail server takes
    if_unknown: Mapped[str] = mapped_column(String(16), default="leave")
    status: Mapped[str] = mapped_column(String(16), default="draft")
    fault: Mapped[str | None] = mapped_column(String(LONGEST_FAULT))  # why it was paused, if nobody asked for that
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

    def to_details(self) -> dict[str, Any]:
        """With the number of messages in each state, and the addresses of what can be done to it."""
        from app.models.recipient import Recipient  # noqa: PLC0415  # which imports this module

        here = f"/api/v1/campaigns/{self.id}"
        links = {"self": here} | {name: f"{here}/{name}" for name in LINKS}
        job = f"/api/v1/jobs/{self.job_id}" if self.job_id else None
        return self.to_dict() | {"counts": Recipient.counts_of(self.id), "links": links | {"job": job}}

    def require(self, verb: str) -> None:
        """Raises Conflict unless this can be done to it now."""
        if self.status not in MOVES[verb]:
            wanted = " or ".join(MOVES[verb])
            raise Conflict(f"To {verb} a campaign, it must be {wanted}; this one is {self.status}.")

    def require_changeable(self, names: set[str]) -> None:
        """Raises Conflict if one of these fields can't be changed any more."""
        closed = names - set(CHANGEABLE) if self.is_under_way else names
        if closed and self.status != "draft":
            raise Conflict(f"The campaign is {self.status}: {', '.join(sorted(closed))} can't be changed any more.")

    def launch(self, at: datetime | None = None) -> None:
        """At once, or not before a moment."""
        self.require("launch")
        self.status, self.scheduled_at = ("scheduled", at) if at else ("sending", None)

    def pause(self) -> None:
        """What is being handed over goes out still."""
        self.require("pause")
        self.status = "paused"

    def resume(self) -> None:
        self.require("resume")
        waits = self.scheduled_at is not None and self.scheduled_at > now()
        self.status, self.fault = "scheduled" if waits else "sending", None

    def cancel(self) -> None:
        self.require("cancel")
        self.status, self.finished_at = "cancelled", now()

    def retry(self) -> None:
        """Goes on, with messages that had been given up."""
        self.require("retry")
        self.status, self.fault, self.finished_at = "sending", None, None

    def finish(self) -> None:
        """Nothing is left to be sent."""
        self.require("finish")
        self.status, self.fault, self.finished_at = "done", None, now()

    def halt(self, fault: str) -> None:
        """Paused, though nobody asked for it, and why."""
        self.require("halt")
        self.status, self.fault = "paused", fault[:LONGEST_FAULT]
