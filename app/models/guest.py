"""Somebody who is, or will be, invited to an event: one for each of its e-mail addresses, without regard to case."""

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, String, Uuid, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.errors import Conflict
from app.models.base import BigId, NumberedModel, now
from app.models.event import Event

STATUSES = ("added", "invited", "accepted", "declined")


def new_link_key() -> str:
    return secrets.token_urlsafe(18)


class Guest(NumberedModel):
    __tablename__ = "guests"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="status"),
        Index("uq_guests_event_id_email_key", "event_id", "email_key", unique=True),
        Index(None, "event_id", "created_at", "id"),
    )
    __repr_attrs__ = ["status"]
    PUBLIC = (
        "id",
        "event_id",
        "email",
        "name",
        "role",
        "status",
        "invited_at",
        "answered_at",
        "created_at",
        "updated_at",
    )
    FILTERS = ("event_id", "status", "role")
    SORTS = ("id", "created_at")

    event_id: Mapped[int] = mapped_column(BigId, ForeignKey("events.id", ondelete="CASCADE"))
    email: Mapped[str] = mapped_column(String(254))  # as it was given: what mail is sent to
    email_key: Mapped[str] = mapped_column(String(254))  # what it is compared by
    name: Mapped[str] = mapped_column(String(200), default="")
    role: Mapped[str] = mapped_column(String(50), default="guest")
    status: Mapped[str] = mapped_column(String(16), default="added")
    invited_at: Mapped[datetime | None]  # when the latest mail with the link was sent
    answered_at: Mapped[datetime | None]
    # What the link to the invitation is made of (`helpers/links.py`). Another one takes back the links sent so far.
    link_key: Mapped[str] = mapped_column(String(32), unique=True, default=new_link_key)
    import_job_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))  # the job that brought the guest in

    event: Mapped[Event] = relationship()

    @classmethod
    def visible_to(cls, actor: Any) -> ColumnElement[bool]:
        return cls.event_id.in_(select(Event.id).where(Event.visible_to(actor)))

    def answer(self, given: str) -> None:
        """`accepted` or `declined`, and the other one later, if they change their mind. Conflict after the start."""
        self.check_before_start()
        if self.status != given:
            self.status, self.answered_at = given, now()

    def note_invitation(self) -> None:
        """A mail with the link was sent just now. Who has answered stays so."""
        self.invited_at = now()
        if self.status == "added":
            self.status = "invited"

    def take_back_links(self) -> None:
        """Those sent so far lead nowhere from now on."""
        self.link_key = new_link_key()

    def check_before_start(self) -> None:
        """Conflict after the event has begun: then nobody is invited to it, and nobody answers."""
        if self.event.has_started:
            raise Conflict("The event has begun: nobody is invited to it and no answer is changed any more.")
