"""The engine: the ledger and the doorbell. Knows nothing of guests or campaigns.

The row in `jobs` is the job; Redis only wakes the workers. Jobs use `job` and `checkpoint`, services use `enqueue`.
"""

from app.queue import rq_json
from app.queue.attempt import checkpoint
from app.queue.client import enqueue
from app.queue.registry import BadArguments, job

rq_json.close_pickle()

__all__ = ["BadArguments", "checkpoint", "enqueue", "job"]
