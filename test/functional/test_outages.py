"""Whichever program is killed, what was accepted is done: the API goes on answering, and the work comes after it."""

import http.client
import json
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from copies import Copy, wait_for
from redis import Redis
from sqlalchemy import select

from app import config
from app.boot import boot
from app.db import session
from app.models import File
from app.workers import files


@pytest.fixture(scope="module")
def token(server: Copy) -> str:
    status, body = server.ask("POST", "/api/v1/user", {"email": "outages@example.com", "password": "correct horse"})
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


def upload(server: Copy, token: str, data: bytes) -> tuple[int, str]:
    """The status, 0 if the server was killed over it, and the file's address."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=15)
    try:
        connection.request("POST", "/api/v1/files", data, {"Authorization": token})
        answer = connection.getresponse()
        return answer.status, f"/api/v1/files/{json.loads(answer.read()).get('sha256')}"
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()


def download(server: Copy, token: str, address: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=15)
    connection.request("GET", f"{address}/content", headers={"Authorization": token})
    data = connection.getresponse().read()
    connection.close()
    return data


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


@pytest.mark.parametrize("length", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
def test_upload_that_is_cut_off_leaves_nothing(server: Copy, token: str, length: str) -> None:
    folder = server.folder / "var" / "files"
    before = {path for path in folder.rglob("*") if path.is_file()}
    words = [f"POST /api/v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n{length}"]
    words.append(f"Content-Digest: sha-256=:{'A' * 43}=:\r\n\r\n1388\r\n" + "x" * 5000)  # 5000 is 0x1388
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall("\r\n".join(words).encode())
        wait_for(lambda: any((folder / "incoming").glob("*")), server.logs)
    wait_for(lambda: not any((folder / "incoming").glob("*")), server.logs)
    assert {path for path in folder.rglob("*") if path.is_file()} == before


def test_upload_that_was_accepted_has_its_bytes_and_the_sweep_leaves_no_orphan(server: Copy, token: str) -> None:
    """A hundred uploads, ten at a time, and the web server is killed three times over them."""
    contents = [b"\0" + os.urandom(400_000) for _ in range(100)]  # of no type, so without previews
    answered = threading.Semaphore(0)

    def send(data: bytes) -> tuple[int, str]:
        try:
            return upload(server, token, data)
        finally:
            answered.release()

    with ThreadPoolExecutor(10) as pool:
        answers = pool.map(send, contents)
        for _ in range(3):
            for _ in range(15):
                answered.acquire()
            for process in server.processes("main"):
                process.kill()
            wait_for(server.is_ready, server.logs)
    stored = {address: data for (status, address), data in zip(answers, contents, strict=True) if status == 201}
    assert len(stored) > 20
    for address, data in stored.items():
        assert download(server, token, address) == data
    folder = server.folder / "var" / "files"
    for path in folder.rglob("*"):
        os.utime(path, (0, 0))
    boot(config.load({**server.environment(), "APP_ENV": "development"}))
    files.sweep()
    rows = session.scalars(select(File.key)).all()
    session.remove()
    assert {path.name for path in folder.rglob("*") if path.is_file()} == set(rows)
    assert len(rows) >= len(stored)
