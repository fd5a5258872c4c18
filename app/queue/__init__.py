"""The engine: the ledger and the doorbell. Knows nothing of guests or campaigns.

The row in `jobs` is the job; Redis only wakes the workers. Jobs use `job`, `checkpoint` and `postpone`, services use
`enqueue` and `hasten`.
"""

from app.queue import rq_json
from app.queue.attempt import checkpoint, is_stopping, postpone
from app.queue.client import enqueue, hasten
from app.queue.registry import BadArguments, job

rq_json.close_pickle()

__all__ = ["BadArguments", "checkpoint", "enqueue", "hasten", "is_stopping", "job", "postpone"]
