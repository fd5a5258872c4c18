"""users, tasks and jobs"""

import sqlalchemy as sa
from alembic import op

from app.models.base import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recurrences",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("cron", sa.String(100), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_recurrences")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("email_key", sa.String(254), nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("token_version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email_key", name=op.f("uq_users_email_key")),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("type", sa.String(100), nullable=False),
        sa.Column("queue", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("args", sa.JSON(), nullable=False),
        sa.Column("unique_key", sa.String(255), nullable=True),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("request_id", sa.String(64), nullable=True),
        sa.Column("target_type", sa.String(32), nullable=True),
        sa.Column("target_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("charged", sa.Integer(), nullable=False),
        sa.Column("crashes", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("history", sa.JSON(), nullable=False),
        sa.Column("worker", sa.String(100), nullable=True),
        sa.Column("lease_expires_at", UtcDateTime(), nullable=True),
        sa.Column("progress_total", sa.Integer(), nullable=False),
        sa.Column("progress_completed", sa.Integer(), nullable=False),
        sa.Column("progress_failed", sa.Integer(), nullable=False),
        sa.Column("progress_message", sa.String(255), nullable=True),
        sa.Column("progress_at", UtcDateTime(), nullable=True),
        sa.Column("result", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("error", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("trace", sa.Text(), nullable=True),
        sa.Column("run_at", UtcDateTime(), nullable=False),
        sa.Column("scheduled_at", UtcDateTime(), nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("cancel_requested_at", UtcDateTime(), nullable=True),
        sa.Column("reported_at", UtcDateTime(), nullable=True),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("queue IN ('high', 'default', 'low')", name=op.f("ck_jobs_queue")),
        sa.CheckConstraint(
            "status IN ('scheduled', 'queued', 'retrying', 'running', 'canceling', 'succeeded', 'failed', 'canceled')",
            name=op.f("ck_jobs_status"),
        ),
        sa.CheckConstraint("progress_completed + progress_failed <= progress_total", name=op.f("ck_jobs_progress")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["users.id"], name=op.f("fk_jobs_account_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.create_index("ix_jobs_account", ["account_id", "id"], unique=False)
        batch_op.create_index(
            "ix_jobs_due",
            ["run_at"],
            unique=False,
            sqlite_where=sa.text("status IN ('scheduled', 'retrying')"),
            postgresql_where=sa.text("status IN ('scheduled', 'retrying')"),
        )
        batch_op.create_index(
            "ix_jobs_expires",
            ["expires_at"],
            unique=False,
            sqlite_where=sa.text("expires_at IS NOT NULL"),
            postgresql_where=sa.text("expires_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_jobs_leases",
            ["lease_expires_at"],
            unique=False,
            sqlite_where=sa.text("status IN ('running', 'canceling')"),
            postgresql_where=sa.text("status IN ('running', 'canceling')"),
        )
        batch_op.create_index(
            "ix_jobs_ready",
            ["queue", "run_at", "id"],
            unique=False,
            sqlite_where=sa.text("status = 'queued'"),
            postgresql_where=sa.text("status = 'queued'"),
        )
        batch_op.create_index("ix_jobs_target", ["target_type", "target_id", "id"], unique=False)
        batch_op.create_index(
            "ix_jobs_unreported",
            ["finished_at"],
            unique=False,
            sqlite_where=sa.text("status = 'failed' AND reported_at IS NULL"),
            postgresql_where=sa.text("status = 'failed' AND reported_at IS NULL"),
        )
        batch_op.create_index(
            "uq_jobs_unique_key",
            ["unique_key"],
            unique=True,
            sqlite_where=sa.text(
                "unique_key IS NOT NULL AND status IN ('scheduled', 'queued', 'retrying', 'running', 'canceling')"
            ),
            postgresql_where=sa.text(
                "unique_key IS NOT NULL AND status IN ('scheduled', 'queued', 'retrying', 'running', 'canceling')"
            ),
        )

    op.create_table(
        "tasks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("reminder_job_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_tasks_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
    )
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_tasks_user_id_created_at_id"), ["user_id", "created_at", "id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_tasks_user_id_due_at_id"), ["user_id", "due_at", "id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_tasks_user_id_due_at_id"))
        batch_op.drop_index(batch_op.f("ix_tasks_user_id_created_at_id"))

    op.drop_table("tasks")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_jobs_unique_key",
            sqlite_where=sa.text(
                "unique_key IS NOT NULL AND status IN ('scheduled', 'queued', 'retrying', 'running', 'canceling')"
            ),
            postgresql_where=sa.text(
                "unique_key IS NOT NULL AND status IN ('scheduled', 'queued', 'retrying', 'running', 'canceling')"
            ),
        )
        batch_op.drop_index(
            "ix_jobs_unreported",
            sqlite_where=sa.text("status = 'failed' AND reported_at IS NULL"),
            postgresql_where=sa.text("status = 'failed' AND reported_at IS NULL"),
        )
        batch_op.drop_index("ix_jobs_target")
        batch_op.drop_index(
            "ix_jobs_ready", sqlite_where=sa.text("status = 'queued'"), postgresql_where=sa.text("status = 'queued'")
        )
        batch_op.drop_index(
            "ix_jobs_leases",
            sqlite_where=sa.text("status IN ('running', 'canceling')"),
            postgresql_where=sa.text("status IN ('running', 'canceling')"),
        )
        batch_op.drop_index(
            "ix_jobs_expires",
            sqlite_where=sa.text("expires_at IS NOT NULL"),
            postgresql_where=sa.text("expires_at IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_jobs_due",
            sqlite_where=sa.text("status IN ('scheduled', 'retrying')"),
            postgresql_where=sa.text("status IN ('scheduled', 'retrying')"),
        )
        batch_op.drop_index("ix_jobs_account")

    op.drop_table("jobs")
    op.drop_table("users")
    op.drop_table("recurrences")
