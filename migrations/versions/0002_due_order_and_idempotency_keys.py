"""the order of tasks by due date, those without one last; idempotency keys"""

import sqlalchemy as sa
from alembic import op

from app.models.base import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ORDER = "coalesce(due_at, '9999-12-31 23:59:59.999999')"


def upgrade() -> None:
    op.drop_index("ix_tasks_user_id_due_at_id", "tasks")
    with op.batch_alter_table("tasks") as batch:
        batch.add_column(sa.Column("due_order", UtcDateTime(), sa.Computed(ORDER, persisted=True), nullable=False))
    op.create_index("ix_tasks_user_id_due_order_id", "tasks", ["user_id", "due_order", "id"])
    op.create_table(
        "idempotency_keys",
        sa.Column("scope", sa.String(64), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["users.id"], name="fk_idempotency_keys_account_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("scope", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_account_id", "idempotency_keys", ["account_id"])
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])


def downgrade() -> None:
    op.drop_table("idempotency_keys")
    op.drop_index("ix_tasks_user_id_due_order_id", "tasks")
    with op.batch_alter_table("tasks") as batch:
        batch.drop_column("due_order")
    op.create_index("ix_tasks_user_id_due_at_id", "tasks", ["user_id", "due_at", "id"])
