"""Redis as RQ keeps it: the window of next jobs in each queue, and what RQ's tools show of each job.

Nothing here is the truth. Whatever is lost or stale in Redis, the relay puts right from the ledger.
"""

import logging
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue
from rq.job import Job as RqJob
from rq.job import JobStatus
from rq.registry import FailedJobRegistry, ScheduledJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer
from rq.worker_registration import get_keys

from app.models import Job
from app.models.base import now
from app.queue import registry

log = logging.getLogger(__name__)

WINDOW = 500  # jobs of one queue that Redis holds at most, give or take what one second pushes
QUIET_SECONDS = 1.0  # how long a full queue or an unreachable Redis is left to the relay
RESULT_SECONDS = 300  # how long RQ's tools show a finished job; the ledger keeps it for weeks
FAILURE_SECONDS = 7 * 86400
OURS = "accepted"  # in the `meta` of RQ's record: the ledger knows, or knew, this job
FAILED = "failed"  # in the same place: the attempt that failed for good
ENDS = {"succeeded": JobStatus.FINISHED, "failed": JobStatus.FAILED, "canceled": JobStatus.CANCELED}

REORDER = """
    local there, left, line = redis.call('LRANGE', KEYS[1], 0, -1), {}, {}
    for _, id in ipairs(there) do left[id] = true end
    for _, ids in ipairs({ARGV, there}) do
        for _, id in ipairs(ids) do
            if left[id] then line[#line + 1] = id; left[id] = nil end
        end
    end
    redis.call('DEL', KEYS[1])
    for _, id in ipairs(line) do redis.call('RPUSH', KEYS[1], id) end
"""

MARK = """
    if redis.call('HGET', KEYS[1], 'status') == 'failed' then redis.call('HSET', KEYS[1], 'meta', ARGV[1]) end
"""

_connection: list[Redis] = []
_quiet_until = [0.0]  # by the monotonic clock: when Redis, which is away, is tried again
_lengths: dict[str, tuple[int, float]] = {}  # of each queue, and until when that is believed


@dataclass(frozen=True)
class Ring:
    """What Redis is told of a job. Plain values: it is used after the commit, when the row may not be read."""

    id: str
    type: str
    queue: str
    share: str
    args: dict[str, Any]
    run_at: datetime
    created_at: datetime
    first: bool = False  # before all others in the queue

    @classmethod
    def of(cls, job: Job, *, first: bool = False) -> "Ring":
        return cls(job.id, job.type, job.queue, job.share, job.args, job.run_at, job.created_at, first)

    @property
    def description(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.args.items())
        return f"{self.type}({shown})"


def connect(url: str) -> Redis:
    """The client for short questions: gives up after a second and never retries, since callers have a plan B."""
    client = Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0))
    _connection[:] = [client]
    _quiet_until[:] = [0.0]
    _lengths.clear()
    return client


def connection() -> Redis:
    return _connection[0]


def backlog(queue: str) -> int:
    """How many jobs stood in this queue a moment ago, as far as this process knows."""
    length, believed_until = _lengths.get(queue, (0, 0.0))
    return length if time.monotonic() < believed_until else 0


def try_to_ring(rings: list[Ring]) -> None:
    """Rings unless Redis is away or the queue full; says so in the log and leaves the rest to the relay."""
    moment = time.monotonic()
    wanted = [ring for ring in rings if ring.first or backlog(ring.queue) < WINDOW][:WINDOW]
    if not wanted or moment < _quiet_until[0]:
        return
    try:
        ring(wanted)
    except RedisError as error:
        _quiet_until[:] = [moment + QUIET_SECONDS]
        log.warning("redis is away (%s): %d job(s) wait for the relay", error, len(rings))


def ring(rings: list[Ring]) -> None:
    """Writes RQ's record of each job and puts it in its queue, or among the scheduled ones. One round trip. Raises
    RedisError."""
    moment = now()
    client = connection()
    with client.pipeline(transaction=False) as pipe:
        for item in rings:
            queue = Queue(item.queue, connection=client, serializer=JSONSerializer)
            due = item.run_at <= moment
            record = _record(item, client, JobStatus.QUEUED if due else JobStatus.SCHEDULED)
            scheduled = ScheduledJobRegistry(item.queue, connection=client, serializer=JSONSerializer)
            record.enqueued_at = moment if due else None
            record.save(pipeline=pipe)
            if not due:
                scheduled.schedule(record, item.run_at, pipeline=pipe)
            else:
                pipe.zrem(scheduled.key, item.id)
                pipe.sadd(Queue.redis_queues_keys, queue.key)
                if item.first:  # it may stand further back already
                    pipe.lrem(queue.key, 0, item.id)
                queue.push_job_id(item.id, pipeline=pipe, at_front=item.first)
        names = sorted({item.queue for item in rings})
        for name in names:
            pipe.llen(Queue(name, connection=client).key)
        lengths = pipe.execute()[-len(names) :]
    for name, length in zip(names, lengths, strict=True):
        _lengths[name] = (length, time.monotonic() + QUIET_SECONDS)


def reorder(queue: str, ids: list[str]) -> None:
    """Puts these, as far as they are still there, before all others of the queue, in this order. Atomic: what workers
    take and others push meanwhile is neither doubled nor lost."""
    client = connection()
    client.eval(REORDER, 1, Queue(queue, connection=client).key, *ids)


def try_to_publish(channel: str, text: str) -> None:
    """Tells whoever listens on this channel, unless Redis is away: nobody relies on it."""
    if _quiet_until[0] > time.monotonic():
        return
    try:
        connection().publish(channel, text)
    except RedisError as error:
        _quiet_until[:] = [time.monotonic() + QUIET_SECONDS]
        log.warning("redis is away (%s): waiters look for themselves", error)


def _record(item: Ring, client: Redis, status: JobStatus) -> RqJob:
    record = RqJob.create(
        item.type,
        kwargs=item.args,
        connection=client,
        serializer=JSONSerializer,
        id=item.id,
        origin=item.queue,
        description=item.description,
        timeout=registry.timeout_of(item.type),
        result_ttl=RESULT_SECONDS,
        failure_ttl=FAILURE_SECONDS,
        status=status,
        meta={OURS: True},
    )
    record.created_at = item.created_at
    return record


def waiting_ids(queue: str) -> list[str]:
    """The ids in this queue's window, the next one first."""
    return list(Queue(queue, connection=connection()).get_job_ids())


def forget(ids: list[str], queue: str) -> None:
    """Takes jobs that will not run out of Redis: canceled while they waited, or taken back from a dead worker."""
    client = connection()
    started = StartedJobRegistry(queue, connection=client)
    members: Any = client.zrange(started.key, 0, -1)
    dead = [member for member in members if member.decode().split(":")[0] in ids]
    with client.pipeline(transaction=False) as pipe:
        for job_id in ids:
            pipe.lrem(Queue(queue, connection=client).key, 0, job_id)
            pipe.delete(RqJob.key_for(job_id))
        pipe.zrem(ScheduledJobRegistry(queue, connection=client).key, *ids)
        pipe.zrem(FailedJobRegistry(queue, connection=client).key, *ids)
        if dead:
            pipe.zrem(started.key, *dead)
        pipe.execute()


def mark_failure(record: RqJob, attempt: int) -> None:
    """By the mark a requeue is told from a ring that came late. Not if one came in between: the record is its own then,
    and says queued."""
    marked = JSONSerializer.dumps({**record.meta, FAILED: attempt})
    connection().eval(MARK, 1, record.key, marked)


def correct(record: RqJob, job: Job) -> None:
    """The job was rung for after its end, so RQ's record calls it queued, and would for ever."""
    record.set_status(ENDS[job.status])
    mark_failure(record, job.attempt)
    connection().expire(record.key, FAILURE_SECONDS if job.status == "failed" else RESULT_SECONDS)


def forget_abandoned(queue: str) -> None:
    """Jobs that RQ calls started beyond their time: their worker died between the ledger's record of the end and RQ's.
    One that waits again is rung for at the relay's next look."""
    ids = StartedJobRegistry(queue, connection=connection()).get_expired_job_ids()
    if ids:
        forget(ids, queue)


def has_worker(queue: str) -> bool:
    """Whether a worker that was heard of lately takes jobs from this queue."""
    keys = get_keys(Queue(queue, connection=connection()))
    return bool(keys) and connection().exists(*keys) > 0
