"""Nothing read from Redis is ever unpickled: a pickle that would run code stays a row of bytes."""

import base64
import os
import pickle
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue
from rq.exceptions import DeserializationError
from rq.job import Job
from rq.results import Result
from rq.serializers import DefaultSerializer, resolve_serializer

import app.queue  # noqa: F401  # closes pickle for the process
from app.queue.rq_json import close_pickle


class Bomb:
    """Makes a file when unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def crater(tmp_path: Path) -> Path:
    return tmp_path / "crater"


@pytest.fixture
def bombed(redis: Redis, crater: Path) -> Job:
    """A failed job with a bomb in every place where RQ keeps a serialized value."""
    bomb = pickle.dumps(Bomb(crater))
    job = Job.create("tasks.remind", connection=redis, origin="default")
    job.save()
    queue = Queue("default", connection=redis)
    redis.sadd(Queue.redis_queues_keys, queue.key)
    queue.failed_job_registry.add(job, -1)
    redis.hset(job.key, mapping={"data": zlib.compress(bomb), "meta": bomb, "result": bomb, "status": "failed"})
    redis.xadd(
        Result.get_key(job.id),
        {"type": Result.Type.SUCCESSFUL.value, "return_value": base64.b64encode(bomb)},
    )
    return job


@pytest.fixture
def database_url(migrated: Callable[[str], str]) -> str:
    return migrated("sqlite")  # which database it is makes no difference here


def test_bomb_goes_off_where_pickle_is_open(crater: Path):
    pickle.loads(pickle.dumps(Bomb(crater)))
    assert crater.exists()


@pytest.mark.parametrize("serializer", [None, "pickle", DefaultSerializer])
def test_every_name_of_pickle_means_json(serializer):
    close_pickle()  # a second time does no harm
    assert resolve_serializer(serializer).dumps([1, "a"]) == b'[1, "a"]'
    assert resolve_serializer(serializer).loads(b'[1, "a"]') == [1, "a"]


@pytest.mark.parametrize("serializer", [None, "pickle", "json"])
def test_job_with_a_bomb_is_only_bytes(redis: Redis, bombed: Job, crater: Path, serializer):
    job = Job.fetch(bombed.id, connection=redis, serializer=serializer)
    with pytest.raises(DeserializationError):
        _ = job.args
    with pytest.raises(DeserializationError):
        _ = job.func_name
    for read in (job.return_value, job.latest_result, job.get_meta, job.results):
        with pytest.raises(ValueError, match="codec can't decode"):
            read()
    assert "unserialized" in job.meta
    assert not crater.exists()


def test_job_with_a_bomb_is_requeued_as_bytes(redis: Redis, bombed: Job, crater: Path):
    Queue("default", connection=redis).failed_job_registry.requeue(bombed.id)
    assert not crater.exists()


def test_dashboard_shows_a_bomb_as_garbage(client, settings, bombed: Job, crater: Path):
    login = base64.b64encode(f"{settings.supervisor_user}:{settings.supervisor_password}".encode()).decode()
    headers = {"Authorization": f"Basic {login}"}
    for path in (
        f"0/data/job/{bombed.id}.json",
        f"0/view/job/{bombed.id}",
        "0/data/jobs/default/failed/8/asc/1.json",
        "0/data/workers.json",
    ):
        assert client.get(f"/internal/rq/{path}", headers=headers).status_code in (200, 409)
    assert client.post(f"/internal/rq/job/{bombed.id}/requeue", headers=headers).status_code in (200, 409)
    assert not crater.exists()


def test_worker_survives_a_bomb(redis: Redis, bombed: Job, crater: Path, work):
    Queue("default", connection=redis).push_job_id(bombed.id)
    work()
    assert not crater.exists()


def test_requeued_bomb_does_not_go_off_in_a_worker(redis: Redis, bombed: Job, crater: Path, work):
    Queue("default", connection=redis).failed_job_registry.requeue(bombed.id)
    work()
    assert not crater.exists()


def test_plain_rq_tools_in_this_process_read_json(redis: Redis):
    job = Queue("default", connection=redis).enqueue("tasks.remind", task_id=7)
    assert b'"task_id": 7' in zlib.decompress(redis.hget(job.key, "data"))
