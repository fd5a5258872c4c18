"""What happened to a job, numbered from 1. Triggers on `jobs` write these rows (migration 0004), in the transaction of
the move itself: no move is missed, whoever makes it, and none costs another round trip."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, rfc3339
from app.models.job import DONE


class JobEvent(Base):
    __tablename__ = "job_events"

    job_id: Mapped[str] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
    )
    seq: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(String(16))
    attempt: Mapped[int]
    total: Mapped[int]
    completed: Mapped[int]
    failed: Mapped[int]
    message: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime]

    def to_dict(self) -> dict[str, Any]:
        """The job as it was then; names as in the job itself."""
        return {
            "id": self.job_id,
            "status": self.status,
            "done": self.status in DONE,
            "attempt": self.attempt,
            "progress": {
                "total": self.total,
                "completed": self.completed,
                "failed": self.failed,
                "message": self.message,
            },
            "created_at": rfc3339(self.created_at),
        }
