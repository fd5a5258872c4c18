"""the database itself refuses a job's illegal moves"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MOVES = {
    "scheduled": ("queued", "canceled"),
    "queued": ("running", "canceled"),
    "running": ("succeeded", "retrying", "failed", "queued", "canceling", "canceled"),
    "canceling": ("succeeded", "failed", "canceled"),
    "retrying": ("queued", "canceled"),
    "failed": ("queued",),
    "canceled": ("queued",),
}
ALLOWED = ", ".join(f"'{before}>{after}'" for before, afters in MOVES.items() for after in afters)
# What must never be, of a row as it becomes: each line names one rule.
ILLEGAL = f"""
    (NEW.status <> OLD.status AND OLD.status || '>' || NEW.status NOT IN ({ALLOWED}))
    OR NEW.attempt <> OLD.attempt + CASE WHEN NEW.status = 'running' AND OLD.status = 'queued' THEN 1 ELSE 0 END
    OR (NEW.lease_expires_at IS NULL) = (NEW.status IN ('running', 'canceling'))
    OR (NEW.finished_at IS NULL) = (NEW.status IN ('succeeded', 'failed', 'canceled'))
"""
BORN_ILLEGAL = "NEW.status NOT IN ('scheduled', 'queued') OR NEW.attempt <> 0"
REFUSAL = "illegal move of a job"
FUNCTION = f"""
    CREATE FUNCTION refuse_job_move() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'check_violation'; END $$
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(FUNCTION)
        body = "EXECUTE FUNCTION refuse_job_move()"
    else:
        body = f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    columns = "status, attempt, lease_expires_at, finished_at"
    op.execute(f"CREATE TRIGGER job_born BEFORE INSERT ON jobs FOR EACH ROW WHEN ({BORN_ILLEGAL}) {body}")
    op.execute(f"CREATE TRIGGER job_legal BEFORE UPDATE OF {columns} ON jobs FOR EACH ROW WHEN ({ILLEGAL}) {body}")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_job_move() CASCADE")
    else:
        op.execute("DROP TRIGGER job_born")
        op.execute("DROP TRIGGER job_legal")
