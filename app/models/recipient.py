"""One message of a campaign: to whom, and what has become of it.

pending ─marked─► sending ─taken by the mail server─► sent
   ▲ │               ├─refused for now─► pending      (or failed: too often)
   │ │               ├─refused for good─► failed
   │ └─► skipped     └─the process died, or the connection broke, at the wrong moment─► unknown
   └──────────────────────────────────────── asked for, or by `if_unknown` ────────────────┘
"""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, String, func, select
from sqlalchemy.orm import Mapped, mapped_column

from app.db import session
from app.models.base import BigId, NumberedModel
from app.models.campaign import Campaign

STATES = ("pending", "sending", "sent", "failed", "unknown", "skipped")


class Recipient(NumberedModel):
    __tablename__ = "recipients"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        Index("uq_recipients_campaign_id_email_key", "campaign_id", "email_key", unique=True),
        Index(None, "campaign_id", "state", "id"),
        Index(None, "campaign_id", "id"),
        Index(None, "guest_id"),
    )
    __repr_attrs__ = ["state"]
    PUBLIC = ("id", "guest_id", "email", "state", "attempts", "error", "sending_at", "sent_at")
    FILTERS = ("campaign_id", "state")
    SORTS = ("id",)

    campaign_id: Mapped[int] = mapped_column(BigId, ForeignKey("campaigns.id", ondelete="CASCADE"))
    guest_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("guests.id", ondelete="SET NULL"))
    email: Mapped[str] = mapped_column(String(254))
    email_key: Mapped[str] = mapped_column(String(254))
    state: Mapped[str] = mapped_column(String(16), default="pending")
    attempts: Mapped[int] = mapped_column(default=0)  # hand-overs that began
    error: Mapped[str | None] = mapped_column(String(500))  # what the mail server said, or why it was skipped
    sending_at: Mapped[datetime | None]  # when the latest hand-over began
    sent_at: Mapped[datetime | None]
    not_before: Mapped[datetime | None]  # when to try again what the mail server refused for now

    @classmethod
    def visible_to(cls, actor: Any) -> ColumnElement[bool]:
        return cls.campaign_id.in_(select(Campaign.id).where(Campaign.visible_to(actor)))

    @classmethod
    def counts_of(cls, campaign_id: int) -> dict[str, int]:
        """How many messages of the campaign are in each state."""
        grouped = select(cls.state, func.count()).where(cls.campaign_id == campaign_id).group_by(cls.state)
        return dict.fromkeys(STATES, 0) | dict(session.execute(grouped).all())
