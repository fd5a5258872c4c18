"""what happened to each job, numbered by the database itself; finished jobs that are only remembered as expired"""

import sqlalchemy as sa
from alembic import op

from app.models.base import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# One row for each new job and each move, try and report of progress. Whoever writes it holds the lock of the job's row,
# so the numbers of one job have neither gaps nor doubles.
NOTE = """
    INSERT INTO job_events (job_id, seq, status, attempt, total, completed, failed, message, created_at)
    SELECT NEW.id, coalesce(max(seq), 0) + 1, NEW.status, NEW.attempt, NEW.progress_total, NEW.progress_completed,
           NEW.progress_failed, NEW.progress_message, NEW.updated_at
    FROM job_events WHERE job_id = NEW.id;
"""
CHANGED = """
    NEW.status <> OLD.status OR NEW.attempt <> OLD.attempt OR NEW.progress_at {differs} OLD.progress_at
"""
FUNCTION = f"""
    CREATE FUNCTION note_job_event() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN {NOTE} RETURN NULL; END $$
"""
EXPIRED = sa.text("expires_at IS NOT NULL AND emptied_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "job_events",
        sa.Column("job_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("completed", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("message", sa.String(255), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_events_job_id_jobs", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "seq", name="pk_job_events"),
    )
    # Never a batch on `jobs`: SQLite would copy the table, and lose its triggers and what refers to it.
    op.add_column("jobs", sa.Column("emptied_at", UtcDateTime(), nullable=True))
    op.create_index("ix_jobs_to_empty", "jobs", ["expires_at"], sqlite_where=EXPIRED, postgresql_where=EXPIRED)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(FUNCTION)
        when, body = CHANGED.format(differs="IS DISTINCT FROM"), "EXECUTE FUNCTION note_job_event()"
    else:
        when, body = CHANGED.format(differs="IS NOT"), f"BEGIN {NOTE} END"
    op.execute(f"CREATE TRIGGER job_made AFTER INSERT ON jobs FOR EACH ROW {body}")
    op.execute(f"CREATE TRIGGER job_moved AFTER UPDATE ON jobs FOR EACH ROW WHEN ({when}) {body}")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION note_job_event() CASCADE")
    else:
        op.execute("DROP TRIGGER job_made")
        op.execute("DROP TRIGGER job_moved")
    op.drop_index("ix_jobs_to_empty", "jobs")
    op.drop_column("jobs", "emptied_at")
    op.drop_table("job_events")
