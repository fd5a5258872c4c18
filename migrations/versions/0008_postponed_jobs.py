"""a running job may postpone itself"""

from alembic import op

revision = "0008"
down_revision = "0007"
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
POSTPONED = {**MOVES, "running": (*MOVES["running"], "scheduled")}


def _illegal(moves: dict[str, tuple[str, ...]]) -> str:
    """What must never be, of a row as it becomes: each line names one rule."""
    allowed = ", ".join(f"'{before}>{after}'" for before, afters in moves.items() for after in afters)
    return f"""
        (NEW.status <> OLD.status AND OLD.status || '>' || NEW.status NOT IN ({allowed}))
        OR NEW.attempt <> OLD.attempt + CASE WHEN NEW.status = 'running' AND OLD.status = 'queued' THEN 1 ELSE 0 END
        OR (NEW.lease_expires_at IS NULL) = (NEW.status IN ('running', 'canceling'))
        OR (NEW.finished_at IS NULL) = (NEW.status IN ('succeeded', 'failed', 'canceled'))
    """


def _allow(moves: dict[str, tuple[str, ...]]) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER job_legal ON jobs")
        body = "EXECUTE FUNCTION refuse_job_move()"
    else:
        op.execute("DROP TRIGGER job_legal")
        body = "BEGIN SELECT RAISE(ABORT, 'illegal move of a job'); END"
    columns = "status, attempt, lease_expires_at, finished_at"
    when = _illegal(moves)
    op.execute(f"CREATE TRIGGER job_legal BEFORE UPDATE OF {columns} ON jobs FOR EACH ROW WHEN ({when}) {body}")


def upgrade() -> None:
    _allow(POSTPONED)


def downgrade() -> None:
    _allow(MOVES)
