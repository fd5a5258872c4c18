"""Whichever program is killed, what was accepted is done: the API goes on answering, and the work comes after it."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from copies import Copy, wait_for
from redis import Redis

pytestmark = pytest.mark.xdist_group("processes")


@pytest.fixture(scope="module")
def server() -> Iterator[Copy]:
    with Copy() as copy:
        yield copy


@pytest.fixture(scope="module")
def token(server: Copy) -> str:
    status, body = server.ask("POST", "/api/v1/user", {"email": "alice@example.com", "password": "correct horse"})
    assert status == 201
    return str(body["token"])


def ask_for_work(server: Copy, token: str) -> str:
    """A job, as soon as the API takes it; its address."""
    answers = []

    def accepted() -> bool:
        answers.append(server.ask("POST", "/api/v1/baz", {"to": 2}, token))
        return answers[-1][0] == 202

    wait_for(accepted, server.logs)
    return str(answers[-1][1]["links"]["self"])


def is_done(server: Copy, token: str, address: str) -> bool:
    status, job = server.ask("GET", address, token=token)
    return status == 200 and job["status"] == "succeeded"


@pytest.mark.parametrize("program", ["redis", "main", "worker", "relay"])
def test_job_asked_for_during_an_outage_is_done(server: Copy, token: str, program: str) -> None:
    killed = server.processes(program)
    assert killed
    for process in killed:
        process.kill()
    address = ask_for_work(server, token)
    wait_for(lambda: is_done(server, token, address), server.logs)
    wait_for(server.is_ready, server.logs)


def test_api_accepts_while_redis_is_stopped_and_the_reminders_come_after_it(server: Copy, token: str) -> None:
    [redis] = server.processes("redis")
    redis.suspend()  # the worst kind of outage: connections are taken and never answered
    try:
        task = {"text": "Buy candles", "due_at": "2026-01-01T00:00:00Z"}
        answers = [server.ask("POST", "/api/v1/tasks", task, token) for _ in range(5)]
        assert [status for status, _ in answers] == [201] * 5
    finally:
        redis.resume()
    addresses = [f"/api/v1/jobs/{body['reminder_job_id']}" for _, body in answers]
    wait_for(lambda: all(is_done(server, token, address) for address in addresses), server.logs)
    assert len(list((server.folder / "var" / "mail").glob("*.eml"))) == 5


@pytest.mark.parametrize("trouble", [{"maxmemory": "1"}, {"min-replicas-to-write": "1"}], ids=["full", "read-only"])
def test_api_accepts_while_redis_refuses_to_write(server: Copy, token: str, trouble: dict[str, str]) -> None:
    url = f"unix://{quote(str(server.folder / 'var' / 'redis' / 'redis.sock'))}"
    with Redis.from_url(url) as redis:
        [(name, value)] = trouble.items()
        [before] = redis.config_get(name).values()
        redis.config_set(name, value)
        try:
            answers = [server.ask("POST", "/api/v1/baz", {"to": 1}, token) for _ in range(5)]
            assert [status for status, _ in answers] == [202] * 5
        finally:
            redis.config_set(name, before)
    addresses = [body["links"]["self"] for _, body in answers]
    wait_for(lambda: all(is_done(server, token, address) for address in addresses), server.logs)
