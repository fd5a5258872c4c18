"""the order of tasks by due date, those without one last"""

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


def downgrade() -> None:
    op.drop_index("ix_tasks_user_id_due_order_id", "tasks")
    with op.batch_alter_table("tasks") as batch:
        batch.drop_column("due_order")
    op.create_index("ix_tasks_user_id_due_at_id", "tasks", ["user_id", "due_at", "id"])
