"""The real thing: `run.py up` and what supervisord runs, killed in every way."""

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import psutil
import pytest

from app.config import ROOT

pytestmark = pytest.mark.xdist_group("processes")  # one after the other: each needs both processors to be quick

PATIENCE_SECONDS = 30  # what a busy machine may need; by hand it is a tenth of that
STOP_SECONDS = 12
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

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"accepted-{os.getpid()}-", dir="/tmp"))
        self.port, self.supervisor_port = free_ports(2)
        self.output = self.folder / "output"
        self.process = start(self.environment(), self.output)

    def environment(self) -> dict[str, str]:
        return {
            "DATA_DIR": str(self.folder / "var"),
            "PORT": str(self.port),
            "SUPERVISOR_PORT": str(self.supervisor_port),
        }

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

    def processes(self, program: str = "") -> list[psutil.Process]:
        """Those that are alive, a program's parents before their children."""
        pattern = re.compile(PROGRAMS.get(program, ""))
        return [process for process in psutil.process_iter() if self._owns(process, pattern)]

    def _owns(self, process: psutil.Process, pattern: re.Pattern[str]) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE or not pattern.search(" ".join(process.cmdline())):
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


@pytest.fixture(scope="module")
def server() -> Iterator[Copy]:
    with Copy() as copy:
        yield copy


def test_start_says_where_everything_is(server: Copy) -> None:
    wait_for(lambda: "Ctrl-C" in server.output.read_text(), server.logs)
    said = server.output.read_text()
    password_file = server.folder / "var" / "secrets" / "supervisor_password"
    for wanted in (f"http://127.0.0.1:{server.port}/api/v1", "/internal/rq", f":{server.supervisor_port}", "curl"):
        assert wanted in said
    assert str(password_file) in said
    assert password_file.read_text().strip() not in said
    assert password_file.stat().st_mode & 0o077 == 0


def test_redis_is_reachable_by_its_socket_only(server: Copy) -> None:
    [redis] = server.processes("redis")
    assert redis.net_connections(kind="inet") == []
    assert (server.folder / "var" / "redis" / "redis.sock").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("page", ["/", "/RPC2"])
def test_supervisor_wants_a_password(server: Copy, page: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.supervisor_port, timeout=5)
    connection.request("GET", page)
    assert connection.getresponse().status == 401
    connection.close()


@pytest.mark.parametrize(
    ("program", "which"),
    [("redis", 0), ("main", 0), ("main", -1), ("worker", 0), ("relay", 0), ("fatal_listener", 0)],
)
def test_killed_program_comes_back(server: Copy, program: str, which: int) -> None:
    before = server.processes(program)
    with_it = before if (program, which) == ("main", 0) else [before[which]]  # granian takes its children along
    lost = {process.pid for process in with_it}
    before[which].kill()

    def is_back() -> bool:
        now = {process.pid for process in server.processes(program)}
        return len(now) == len(before) and not now & lost and server.is_ready()

    wait_for(is_back, server.logs)


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("PORT", "{port}", "accepted: PORT: {port} is in use"),
        ("SUPERVISOR_PORT", "{port}", "accepted: SUPERVISOR_PORT: {port} is in use"),
        ("DATA_DIR", "{data}", "accepted: DATA_DIR: {data} is in use"),
        ("WORKERS", "many", "accepted: WORKERS: must be a whole number from 1 to 64, got 'many'"),
        ("DATABASE_URL", "postgresql://nobody:s3cret@127.0.0.1:1/none", "accepted: DATABASE_URL: can't reach"),
        ("HOST", "203.0.113.9", "accepted: HOST: 203.0.113.9 is no address of this machine"),
        ("REDIS_SERVER_BIN", "/bin/true", "accepted: REDIS_SERVER_BIN: /bin/true is not a Redis or Valkey server"),
    ],
)
def test_bad_start_is_one_clear_line(server: Copy, tmp_path: Path, setting: str, value: str, said: str) -> None:
    facts = {"port": server.port, "data": server.folder / "var"}
    with tempfile.TemporaryDirectory(prefix=f"accepted-{os.getpid()}-", dir="/tmp") as data:
        port, supervisor_port = free_ports(2)
        own = {"DATA_DIR": data, "PORT": str(port), "SUPERVISOR_PORT": str(supervisor_port)}
        process = start({**own, setting: value.format(**facts)}, tmp_path / "output")
        assert process.wait(PATIENCE_SECONDS) == 1
    lines = (tmp_path / "output").read_text().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(said.format(**facts))
    assert "s3cret" not in lines[0]


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_stop_leaves_nothing_behind_and_the_other_copy_alone(server: Copy, signal_number: int) -> None:
    with Copy() as other:
        other.process.send_signal(signal_number)
        assert other.process.wait(STOP_SECONDS) == 0
        assert other.processes() == []
        assert not [file for file in (other.folder / "var" / "log").glob("*.log") if "Traceback" in file.read_text()]
    assert server.is_ready()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the children of a killed process")
@pytest.mark.parametrize("killed", ["run.py", "supervisord"])
def test_killed_parent_leaves_no_orphans(killed: str) -> None:
    with Copy() as copy:
        target = copy.process if killed == "run.py" else copy.processes("supervisord")[0]
        target.kill()
        assert copy.process.wait(STOP_SECONDS) != 0
        wait_for(lambda: not copy.processes(), copy.logs, STOP_SECONDS)
