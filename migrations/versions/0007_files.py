"""files"""

import sqlalchemy as sa
from alembic import op

from app.models.base import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "files",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("sha1", sa.String(40), nullable=False),
        sa.Column("md5", sa.String(32), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("type", sa.String(127), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("preview_key", sa.String(32), nullable=True),
        sa.Column("preview_type", sa.String(127), nullable=True),
        sa.Column("preview_size", sa.Integer(), nullable=True),
        sa.Column("preview_job_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("checked_at", UtcDateTime(), nullable=False),
        sa.Column("damaged_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_files_user_id_users", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_files"),
        sa.UniqueConstraint("key", name="uq_files_key"),
        sa.UniqueConstraint("preview_key", name="uq_files_preview_key"),
    )
    op.create_index("uq_files_user_id_sha256", "files", ["user_id", "sha256"], unique=True)
    op.create_index("ix_files_user_id_sha1", "files", ["user_id", "sha1"])
    op.create_index("ix_files_user_id_md5", "files", ["user_id", "md5"])
    op.create_index("ix_files_user_id_created_at_id", "files", ["user_id", "created_at", "id"])
    op.create_index("ix_files_checked_at", "files", ["checked_at"])


def downgrade() -> None:
    op.drop_table("files")
