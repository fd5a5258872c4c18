"""When each line of the schedule last fired: one row a line, moved on by conditional update, so that any number of
relays fire it once per due time."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class Recurrence(Base):
    __tablename__ = "recurrences"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)  # the job's name
    cron: Mapped[str] = mapped_column(String(100))  # the line that `due_at` was worked out from
    due_at: Mapped[datetime]  # the next moment at which it fires
