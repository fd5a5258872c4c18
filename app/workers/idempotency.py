"""Housekeeping of idempotency keys."""

from datetime import timedelta

from sqlalchemy import delete, select

from app.db import session
from app.models import IdempotencyKey
from app.models.base import now
from app.queue import checkpoint, job

KEPT = timedelta(days=7)
BATCH = 1000


@job(queue="low")
def forget() -> dict[str, int]:
    """Deletes keys that are older than a week, a batch at a time."""
    forgotten = 0
    old = select(IdempotencyKey.scope).where(IdempotencyKey.created_at < now() - KEPT).limit(BATCH)
    while scopes := session.scalars(old).all():
        session.execute(delete(IdempotencyKey).where(IdempotencyKey.scope.in_(scopes)))
        forgotten += len(scopes)
        checkpoint(forgotten)
    return {"forgotten": forgotten}
