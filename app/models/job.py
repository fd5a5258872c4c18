"""The row that is a job, and its legal life. `queue/ledger.py` makes the moves; this file says which there are.

scheduled ─due─► queued ─claim─► running ─returned─► succeeded
    │              │               ├─raised────────► retrying ─due─► queued   (or failed: no attempts left)
    │              │               ├─lease ran out─► queued                   (or failed: the third time)
    │              │               ├─postponed─────► scheduled
    └───cancel─────┴─► canceled    └─cancel asked──► canceling ─checkpoint──► canceled
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    String,
    Text,
    Uuid,
    false,
    or_,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import BigId, Model, now, rfc3339

DONE = ("succeeded", "failed", "canceled")
WAITING = ("scheduled", "queued", "retrying")
HELD = ("running", "canceling")  # a worker has it, under a lease
STATUSES = WAITING + HELD + DONE
LANES = ("high", "default", "low")  # the queues, best first
NEVER = datetime(9999, 12, 31, tzinfo=UTC)  # `run_at` of a job that waits for others, and not for a moment

# From each status, where a job may go; a trigger refuses the rest. `retry` of a failed or canceled job leads to queued.
MOVES: dict[str, tuple[str, ...]] = {
    "scheduled": ("queued", "canceled"),
    "queued": ("running", "canceled"),
    "running": ("succeeded", "retrying", "failed", "queued", "scheduled", "canceling", "canceled"),
    "canceling": ("succeeded", "failed", "canceled"),
    "retrying": ("queued", "canceled"),
    "succeeded": (),
    "failed": ("queued",),
    "canceled": ("queued",),
}


def one_of(column: str, values: tuple[str, ...]) -> str:
    """SQL that holds where the column has one of these values."""
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


PENDING_WITH_KEY = text(f"unique_key IS NOT NULL AND {one_of('status', WAITING + HELD)}")
UNREPORTED = text("status = 'failed' AND reported_at IS NULL")  # final failures that the operators have yet to hear of


def _partial(name: str, *columns: str, where: Any, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


class Job(Model):
    __tablename__ = "jobs"
    __repr_attrs__ = ["type", "status"]
    FILTERS = ("type", "status", "queue", "account_id", "target_type", "target_id", "request_id", "created_at")
    SORTS = ("id", "created_at")
    __table_args__ = (
        CheckConstraint(one_of("status", STATUSES), name="status"),
        CheckConstraint(one_of("queue", LANES), name="queue"),
        CheckConstraint("progress_completed + progress_failed <= progress_total", name="progress"),
        _partial("uq_jobs_unique_key", "unique_key", where=PENDING_WITH_KEY, unique=True),
        _partial("ix_jobs_ready", "queue", "share", "run_at", "id", where=text("status = 'queued'")),
        _partial("ix_jobs_due", "run_at", where=text("status IN ('scheduled', 'retrying')")),
        _partial("ix_jobs_leases", "lease_expires_at", where=text(one_of("status", HELD))),
        _partial("ix_jobs_unreported", "finished_at", where=UNREPORTED),
        _partial("ix_jobs_expires", "expires_at", where=text("expires_at IS NOT NULL")),
        _partial("ix_jobs_to_empty", "expires_at", where=text("expires_at IS NOT NULL AND emptied_at IS NULL")),
        _partial("ix_jobs_batch", "batch_id", "id", where=text("batch_id IS NOT NULL")),
        Index("ix_jobs_account", "account_id", "id"),
        Index("ix_jobs_created_at", "created_at", "id"),  # the operators' list
        Index("ix_jobs_target", "target_type", "target_id", "id"),
    )

    id: Mapped[str] = mapped_column(Uuid(as_uuid=False), primary_key=True, sort_order=-1)  # UUIDv7: sorts by age
    type: Mapped[str] = mapped_column(String(100))  # the job's name in the registry: `tasks.remind`
    queue: Mapped[str] = mapped_column(String(16), default="default")
    status: Mapped[str] = mapped_column(String(16), default="queued")
    args: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    unique_key: Mapped[str | None] = mapped_column(String(255))

    account_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("users.id", ondelete="CASCADE"))
    request_id: Mapped[str | None] = mapped_column(String(64))
    target_type: Mapped[str | None] = mapped_column(String(32))  # what the job is about, for those who look for it
    target_id: Mapped[int | None] = mapped_column(BigId)

    share: Mapped[str] = mapped_column(String(255), default="", server_default="")  # those of a share wait in one line
    at_once: Mapped[int | None]  # how many jobs of this share may run at the same time; None: any number
    # The job that waits for this one and others. No foreign key: a batch may be forgotten before its parts.
    batch_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    batch_left: Mapped[int] = mapped_column(default=0, server_default="0")  # how many jobs this one still waits for

    attempt: Mapped[int] = mapped_column(default=0)  # counts claims, and is the fencing token of each
    charged: Mapped[int] = mapped_column(default=0)  # attempts that raised; `max_attempts` bounds these
    crashes: Mapped[int] = mapped_column(
        default=0
    )  # attempts whose worker vanished since it got further; three park it
    max_attempts: Mapped[int] = mapped_column(default=5)
    history: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)  # ended attempts before the latest
    worker: Mapped[str | None] = mapped_column(String(100))
    lease_expires_at: Mapped[datetime | None]

    progress_total: Mapped[int] = mapped_column(default=0)
    progress_completed: Mapped[int] = mapped_column(default=0)
    progress_failed: Mapped[int] = mapped_column(default=0)
    progress_message: Mapped[str | None] = mapped_column(String(255))
    progress_at: Mapped[datetime | None]
    result: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  # a problem object
    trace: Mapped[str | None] = mapped_column(Text)  # the last error's traceback, for operators; never in the API

    run_at: Mapped[datetime]  # not before this moment
    scheduled_at: Mapped[datetime | None]  # what the caller asked for
    started_at: Mapped[datetime | None]  # of the latest attempt
    finished_at: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]
    reported_at: Mapped[datetime | None]  # when the final failure reached the alert service
    told_alone: Mapped[bool] = mapped_column(default=False, server_default=false())  # the alert is, or will be, its own
    expires_at: Mapped[datetime | None]
    emptied_at: Mapped[datetime | None]  # when what the job knew was deleted; the row then only says 410

    @classmethod
    def visible_to(cls, actor: Any) -> ColumnElement[bool]:
        """Operators see everybody's."""
        return true() if actor.is_operator else cls.account_id == int(actor.id)

    @classmethod
    def is_kept(cls) -> ColumnElement[bool]:
        """Not expired. An expired job is remembered for a while, for those who ask for it by its id."""
        return or_(cls.expires_at.is_(None), cls.expires_at > now())

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= now()

    @property
    def result_href(self) -> str:
        """Where the result is: what the job's result names as its `href`, or else the job itself, which holds it."""
        named = self.result.get("href") if isinstance(self.result, dict) else None
        return named if isinstance(named, str) and named.startswith("/api/") else f"/api/v1/jobs/{self.id}"

    @property
    def next_attempt_at(self) -> datetime | None:
        """None, too, for a job that waits for others: nobody knows when they will be done."""
        return self.run_at if self.status in ("scheduled", "retrying") and self.run_at < NEVER else None

    @property
    def is_done(self) -> bool:
        return self.status in DONE

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """The attempts so far, oldest first; the latest is read off the row itself. Of those in which the job postponed
        itself, only the last: there may be thousands."""
        if self.attempt == 0 or (self.history and self.history[-1]["number"] == self.attempt):
            return list(self.history)
        latest = {
            "number": self.attempt,
            "started_at": rfc3339(self.started_at),
            "finished_at": rfc3339(self.finished_at),
            "worker": self.worker,
            "error": None,
        }
        return [*self.history, latest]

    def to_dict(self, *_args: Any, **_options: Any) -> dict[str, Any]:
        """The job as the API shows it."""
        here = f"/api/v1/jobs/{self.id}"
        return {
            "id": self.id,
            "type": self.type,
            "status": self.status,
            "done": self.is_done,
            "target": self._target(),
            "progress": {
                "total": self.progress_total,
                "completed": self.progress_completed,
                "failed": self.progress_failed,
                "message": self.progress_message,
                "updated_at": rfc3339(self.progress_at),
            },
            "attempt": self.attempt,
            "max_attempts": self.max_attempts,
            "next_attempt_at": rfc3339(self.next_attempt_at),
            "attempts": self.attempts,
            "result": self.result if self.status == "succeeded" else None,
            "error": self.error if self.status in ("failed", "canceled") else None,
            "queue": self.queue,
            "request_id": self.request_id,
            "created_at": rfc3339(self.created_at),
            "scheduled_at": rfc3339(self.scheduled_at),
            "started_at": rfc3339(self.started_at),
            "finished_at": rfc3339(self.finished_at),
            "cancel_requested_at": rfc3339(self.cancel_requested_at),
            "expires_at": rfc3339(self.expires_at),
            "links": {"self": here} | {verb: f"{here}/{verb}" for verb in ("events", "cancel", "retry", "result")},
        }

    def _target(self) -> dict[str, Any] | None:
        if self.target_type is None:
            return None
        return {
            "type": self.target_type,
            "id": self.target_id,
            "href": f"/api/v1/{self.target_type}s/{self.target_id}",
        }
