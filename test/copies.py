"""Running copies of the whole server, each with a data directory and ports of its own."""

import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import psutil

from app.config import ROOT

PATIENCE_SECONDS = 30  # what a busy machine may need; by hand it is a tenth of that
PROGRAMS = {
    "redis": r"(redis|valkey)-server",
    "main": r"run\.py web",
    "worker": r"run\.py worker",
    "relay": r"run\.py relay",
    "fatal_listener": r"run\.py fatal_listener",
    "supervisord": r"supervisor\.supervisord",
}


class Copy:
    """A running copy of the server, with a data directory and ports of its own."""

    def __init__(self, **settings: str) -> None:
        self.settings = settings
        self.folder = Path(tempfile.mkdtemp(prefix=f"accepted-{os.getpid()}-", dir="/tmp"))
        self.port, self.supervisor_port = free_ports(2)
        self.output = self.folder / "output"
        self.process = start(self.environment(), self.output)

    def environment(self) -> dict[str, str]:
        return {
            "DATA_DIR": str(self.folder / "var"),
            "PORT": str(self.port),
            "SUPERVISOR_PORT": str(self.supervisor_port),
            **self.settings,
        }

    def start_again(self) -> None:
        """After its end, or the death of its supervisord; returns when it is ready."""
        self.process.wait(PATIENCE_SECONDS)
        wait_for(lambda: not self.processes(), self.logs)
        self.process = start(self.environment(), self.output)
        wait_for(self.is_ready, self.logs)

    def __enter__(self) -> Self:
        wait_for(self.is_ready, self.logs)
        return self

    def __exit__(self, *_: object) -> None:
        left = [psutil.Process(self.process.pid)] if self.process.poll() is None else []
        left += [*self.processes("supervisord"), *self.processes()]
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()
        wait_for(lambda: not self.processes(), self.logs)
        shutil.rmtree(self.folder)

    def is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def ask(self, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
        """The status and JSON of one request; status 0 if nobody answers. A body of bytes is a file."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        is_file = isinstance(body, bytes)
        headers = {"Content-Type": "text/csv" if is_file else "application/json"}
        headers |= {"Authorization": token} if token else {}
        try:
            connection.request(method, path, body if is_file or body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        except (OSError, http.client.HTTPException):
            return 0, None
        finally:
            connection.close()

    def processes(self, program: str = "") -> list[psutil.Process]:
        """Those that are alive, a program's parents before their children."""
        pattern = re.compile(PROGRAMS.get(program, ""))
        return [process for process in psutil.process_iter() if self._owns(process, pattern)]

    def _owns(self, process: psutil.Process, pattern: re.Pattern[str]) -> bool:
        try:
            words = process.cmdline()  # none: a process of the kernel's own, or a dead one
            if not words or not pattern.search(" ".join(words)):
                return False
            ours = process.environ().get("DATA_DIR") == str(self.folder / "var")
            # Redis writes its title over its environment, but works in its folder.
            return ours or Path(process.cwd()).is_relative_to(self.folder)
        except psutil.Error:
            return False  # gone meanwhile, or somebody else's

    def logs(self) -> str:
        files = [self.output, *sorted((self.folder / "var" / "log").glob("*.log"))]
        return "\n".join(f"--- {file.name}\n{file.read_text()[-1500:]}" for file in files if file.exists())


def start(settings: dict[str, str], output: Path) -> subprocess.Popen[bytes]:
    kept = {
        name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ
    }  # no settings of the tests
    env = {**kept, "ACCEPTED_SETUP": "false", **settings}  # the packages are those that the tests run with
    with output.open("wb") as file:
        return subprocess.Popen([sys.executable, ROOT / "run.py"], env=env, stdout=file, stderr=file, cwd="/")


def free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [item.getsockname()[1] for item in sockets]
    for item in sockets:
        item.close()
    return ports


def wait_for(condition: Callable[[], object], logs: Callable[[], str], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, logs()
        time.sleep(0.05)
