"""Restarts and deaths of the web server, with clients: nobody is refused, and who only waits is let go."""

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import threading

import psutil
import pytest
from copies import PATIENCE_SECONDS, Copy, wait_for

from app.config import ROOT

RESTARTS, CLIENTS, WAITING = 3, 3, 300


@pytest.fixture(scope="module")
def token(server: Copy) -> str:
    body = {"email": "restarts@example.com", "password": "correct horse battery"}
    return str(server.ask("POST", "/api/v1/user", body)[1]["token"])


def restart(server: Copy) -> None:
    env = {**os.environ, **server.environment(), "ACCEPTED_SETUP": "false"}
    command = [sys.executable, ROOT / "run.py", "ctl", "restart", "accepted:main"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True)
    assert "accepted:main: started" in done.stdout


def test_restarts_refuse_nobody(server: Copy, token: str) -> None:
    over = threading.Event()
    answers: list[int | str] = []

    def ask_all_the_time() -> None:
        while not over.is_set():
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
                try:
                    connection.request("GET", "/api/v1/tasks", headers={"Authorization": token})
                    answers.append(connection.getresponse().status)
                except (OSError, http.client.HTTPException) as error:
                    answers.append(repr(error))

    clients = [threading.Thread(target=ask_all_the_time) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    for _ in range(RESTARTS):
        before, there = {process.pid for process in server.processes("main")}, len(answers)
        restart(server)
        wait_for(lambda there=there: len(answers) > there + 10 * CLIENTS, server.logs)
        assert not before & {process.pid for process in server.processes("main")}
    over.set()
    for client in clients:
        client.join()
    assert set(answers) == {200}


def test_killed_server_leaves_new_clients_in_line(server: Copy) -> None:
    for which in (0, -1, -1):  # granian's parent; its child; its child so soon that granian gives up
        processes = server.processes("main")
        processes[which].kill()
        psutil.wait_procs(processes if which == 0 else [processes[which]], timeout=PATIENCE_SECONDS)
        assert server.ask("GET", "/healthz")[0] == 200
        wait_for(server.is_ready, server.logs)


def test_hundreds_wait_beside_others_and_are_let_go_at_a_restart(server: Copy, token: str) -> None:
    task = server.ask("POST", "/api/v1/tasks", {"text": "x", "due_at": "2099-01-01T00:00:00Z"}, token)[1]
    path = f"/api/v1/jobs/{task['reminder_job_id']}"
    waits = [send(server, path, token, "Prefer: wait=30") for _ in range(WAITING // 2)]
    streams = [send(server, f"{path}/events", token) for _ in range(WAITING // 2)]
    wait_for(lambda: sum(process.num_threads() for process in server.processes("main")) > WAITING, server.logs)
    for connection in streams:
        told = b""
        while b"id: 1\nevent: update" not in told:
            told += connection.recv(4096) or pytest.fail(server.logs())
    for _ in range(20):
        assert server.ask("POST", "/api/v1/tasks", {"text": "x"}, token)[0] == 201
        assert server.ask("GET", "/api/v1/tasks", token=token)[0] == 200
    restart(server)
    for connection in waits:
        answer = read(connection)
        assert answer.startswith(b"HTTP/1.1 200"), answer
        assert b"preference-applied: wait=30" in answer.lower()
        assert b'"status":"scheduled"' in answer
    for connection in streams:
        answer = read(connection)
        assert answer.endswith(b"0\r\n\r\n"), answer  # the end of a body in chunks: it was not cut off


def send(server: Copy, path: str, token: str, *headers: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS)
    lines = [f"GET {path} HTTP/1.1", "Host: test", "Connection: close", f"Authorization: {token}", *headers, "", ""]
    connection.sendall("\r\n".join(lines).encode())
    return connection


def read(connection: socket.socket) -> bytes:
    with connection, connection.makefile("rb") as file:
        return file.read()
