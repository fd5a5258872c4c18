"""roles, named tokens, codes to set a new password with; the order of the operators' list of jobs"""

import sqlalchemy as sa
from alembic import op

from app.models.base import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ROLE = """
    ALTER TABLE users ADD COLUMN role VARCHAR(16) DEFAULT 'user' NOT NULL
    CONSTRAINT ck_users_role CHECK (role IN ('user', 'operator', 'admin'))
"""


def upgrade() -> None:
    # Never a batch on `users`: SQLite would copy the table and drop the old one, and that deletes what belongs to its
    # rows in every other table. Both databases understand this.
    op.execute(ROLE)
    op.create_table(
        "api_tokens",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("last_used_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_api_tokens_user_id_users", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_api_tokens"),
        sa.UniqueConstraint("token_hash", name="uq_api_tokens_token_hash"),
    )
    op.create_index("ix_api_tokens_user_id_created_at_id", "api_tokens", ["user_id", "created_at", "id"])
    op.create_table(
        "password_resets",
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("user_id", BIG_ID, nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_password_resets_user_id_users", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("code_hash", name="pk_password_resets"),
    )
    op.create_index("ix_password_resets_user_id", "password_resets", ["user_id"])
    op.create_index("ix_jobs_created_at", "jobs", ["created_at", "id"])


def downgrade() -> None:
    op.drop_index("ix_jobs_created_at", "jobs")
    op.drop_table("password_resets")
    op.drop_table("api_tokens")
    op.execute("ALTER TABLE users DROP COLUMN role")
