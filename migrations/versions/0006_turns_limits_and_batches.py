"""whose turn a job is taken in, how many of a kind run at once, jobs that wait for others, and failures told alone"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

QUEUED = sa.text("status = 'queued'")
IN_A_BATCH = sa.text("batch_id IS NOT NULL")
# A job's end is counted by the job that waits for its batch; the last one lets it go. What is counted is told once a
# percent, since each telling is a row of `job_events`.
COUNT = """
    UPDATE jobs SET
        batch_left = batch_left - 1,
        progress_completed = progress_completed + CASE WHEN NEW.status = 'succeeded' THEN 1 ELSE 0 END,
        progress_failed = progress_failed + CASE WHEN NEW.status = 'succeeded' THEN 0 ELSE 1 END,
        progress_at = CASE WHEN (progress_total - batch_left + 1) * 100 / progress_total
            > (progress_total - batch_left) * 100 / progress_total THEN NEW.finished_at ELSE progress_at END,
        run_at = CASE WHEN batch_left = 1 AND status = 'scheduled' THEN NEW.finished_at ELSE run_at END,
        status = CASE WHEN batch_left = 1 AND status = 'scheduled' THEN 'queued' ELSE status END,
        updated_at = NEW.finished_at
    WHERE id = NEW.batch_id AND batch_left > 0;
"""
ENDED = "NEW.batch_id IS NOT NULL AND NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL"
FUNCTION = f"""
    CREATE FUNCTION count_batch() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN {COUNT} RETURN NULL; END $$
"""


def upgrade() -> None:
    # Never a batch operation on `jobs`: SQLite would copy the table, and lose its triggers and what refers to it.
    op.add_column("jobs", sa.Column("share", sa.String(255), server_default="", nullable=False))
    op.add_column("jobs", sa.Column("at_once", sa.Integer(), nullable=True))
    op.add_column("jobs", sa.Column("batch_id", sa.Uuid(as_uuid=False), nullable=True))
    op.add_column("jobs", sa.Column("batch_left", sa.Integer(), server_default="0", nullable=False))
    op.add_column("jobs", sa.Column("told_alone", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute("UPDATE jobs SET share = CAST(account_id AS VARCHAR(20)) WHERE account_id IS NOT NULL")
    op.drop_index("ix_jobs_ready", "jobs")
    columns = ["queue", "share", "run_at", "id"]
    op.create_index("ix_jobs_ready", "jobs", columns, sqlite_where=QUEUED, postgresql_where=QUEUED)
    columns = ["batch_id", "id"]
    op.create_index("ix_jobs_batch", "jobs", columns, sqlite_where=IN_A_BATCH, postgresql_where=IN_A_BATCH)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(FUNCTION)
        body = "EXECUTE FUNCTION count_batch()"
    else:
        body = f"BEGIN {COUNT} END"
    op.execute(f"CREATE TRIGGER job_counted AFTER UPDATE OF status ON jobs FOR EACH ROW WHEN ({ENDED}) {body}")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION count_batch() CASCADE")
    else:
        op.execute("DROP TRIGGER job_counted")
    op.drop_index("ix_jobs_batch", "jobs")
    op.drop_index("ix_jobs_ready", "jobs")
    columns = ["queue", "run_at", "id"]
    op.create_index("ix_jobs_ready", "jobs", columns, sqlite_where=QUEUED, postgresql_where=QUEUED)
    for column in ("told_alone", "batch_left", "batch_id", "at_once", "share"):
        op.drop_column("jobs", column)
