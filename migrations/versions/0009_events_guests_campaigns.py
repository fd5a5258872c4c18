"""events, guests, campaigns"""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

from app.models.base import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
START_ORDER = "coalesce(starts_at, '9999-12-31 23:59:59.999999')"
DUE_ORDER = "coalesce(due_at, '9999-12-31 23:59:59.999999')"
GUESTS = ("added", "invited", "accepted", "declined")
CAMPAIGNS = ("draft", "scheduled", "sending", "paused", "done", "cancelled")
RECIPIENTS = ("pending", "sending", "sent", "failed", "unknown", "skipped")


def _id_and_times() -> list[sa.Column]:
    return [
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
    ]


def _refers(table: str, column: str, other: str, ondelete: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=f"fk_{table}_{column}_{other}", ondelete=ondelete)


def upgrade() -> None:
    op.create_table(
        "events",
        *_id_and_times(),
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=True),
        sa.Column("start_order", UtcDateTime(), sa.Computed(START_ORDER, persisted=True), nullable=False),
        sa.Column("place", sa.String(500), nullable=True),
        _refers("events", "user_id", "users", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
    )
    op.create_index("ix_events_user_id_created_at_id", "events", ["user_id", "created_at", "id"])
    op.create_index("ix_events_user_id_start_order_id", "events", ["user_id", "start_order", "id"])

    op.create_table(
        "guests",
        *_id_and_times(),
        sa.Column("event_id", BIG_ID, nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("email_key", sa.String(254), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("role", sa.String(50), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("invited_at", UtcDateTime(), nullable=True),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("link_key", sa.String(32), nullable=False),
        sa.Column("import_job_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.CheckConstraint(f"status IN {GUESTS}", name="ck_guests_status"),
        _refers("guests", "event_id", "events", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_guests"),
        sa.UniqueConstraint("link_key", name="uq_guests_link_key"),
    )
    op.create_index("uq_guests_event_id_email_key", "guests", ["event_id", "email_key"], unique=True)
    op.create_index("ix_guests_event_id_created_at_id", "guests", ["event_id", "created_at", "id"])

    op.create_table(
        "unsubscriptions",
        *_id_and_times(),
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("email_key", sa.String(254), nullable=False),
        _refers("unsubscriptions", "user_id", "users", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_unsubscriptions"),
    )
    op.create_index("uq_unsubscriptions_user_id_email_key", "unsubscriptions", ["user_id", "email_key"], unique=True)

    op.create_table(
        "campaigns",
        *_id_and_times(),
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("event_id", BIG_ID, nullable=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("subject", sa.String(500), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("audience", sa.JSON(), nullable=False),
        sa.Column("attachment", sa.String(64), nullable=True),
        sa.Column("messages_per_minute", sa.Integer(), nullable=True),
        sa.Column("if_unknown", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("fault", sa.String(500), nullable=True),
        sa.Column("job_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("scheduled_at", UtcDateTime(), nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("next_message_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(f"status IN {CAMPAIGNS}", name="ck_campaigns_status"),
        sa.CheckConstraint("if_unknown IN ('leave', 'send_again')", name="ck_campaigns_if_unknown"),
        _refers("campaigns", "user_id", "users", "CASCADE"),
        _refers("campaigns", "event_id", "events", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_campaigns"),
    )
    op.create_index("ix_campaigns_user_id_created_at_id", "campaigns", ["user_id", "created_at", "id"])
    op.create_index("ix_campaigns_event_id", "campaigns", ["event_id"])

    op.create_table(
        "recipients",
        *_id_and_times(),
        sa.Column("campaign_id", BIG_ID, nullable=False),
        sa.Column("guest_id", BIG_ID, nullable=True),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("email_key", sa.String(254), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(500), nullable=True),
        sa.Column("sending_at", UtcDateTime(), nullable=True),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("not_before", UtcDateTime(), nullable=True),
        sa.CheckConstraint(f"state IN {RECIPIENTS}", name="ck_recipients_state"),
        _refers("recipients", "campaign_id", "campaigns", "CASCADE"),
        _refers("recipients", "guest_id", "guests", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_recipients"),
    )
    op.create_index("uq_recipients_campaign_id_email_key", "recipients", ["campaign_id", "email_key"], unique=True)
    op.create_index("ix_recipients_campaign_id_state_id", "recipients", ["campaign_id", "state", "id"])
    op.create_index("ix_recipients_campaign_id_id", "recipients", ["campaign_id", "id"])
    op.create_index("ix_recipients_guest_id", "recipients", ["guest_id"])

    op.execute("UPDATE tasks SET event_id = NULL")  # there were no events that they could belong to
    with _tasks() as batch:
        batch.create_foreign_key("fk_tasks_event_id_events", "events", ["event_id"], ["id"], ondelete="SET NULL")
    op.create_index("ix_tasks_event_id", "tasks", ["event_id"])


@contextmanager
def _tasks() -> Iterator[BatchOperations]:
    """The table, to change its constraints. On SQLite that copies it, without the column that it computes itself."""
    if op.get_bind().dialect.name == "postgresql":
        with op.batch_alter_table("tasks") as batch:
            yield batch
        return
    op.drop_index("ix_tasks_user_id_due_order_id", "tasks")
    with op.batch_alter_table("tasks") as batch:
        batch.drop_column("due_order")
        yield batch
    with op.batch_alter_table("tasks") as batch:
        batch.add_column(sa.Column("due_order", UtcDateTime(), sa.Computed(DUE_ORDER, persisted=True), nullable=False))
    op.create_index("ix_tasks_user_id_due_order_id", "tasks", ["user_id", "due_order", "id"])


def downgrade() -> None:
    op.drop_index("ix_tasks_event_id", "tasks")
    with _tasks() as batch:
        batch.drop_constraint("fk_tasks_event_id_events", type_="foreignkey")
    for table in ("recipients", "campaigns", "unsubscriptions", "guests", "events"):
        op.drop_table(table)
