"""The real thing: `run.py up` and what supervisord runs, killed in every way."""

import http.client
import os
import re
import signal
import sqlite3
import sys
import tempfile
from pathlib import Path

import pytest
from copies import PATIENCE_SECONDS, Copy, free_ports, start, wait_for

STOP_SECONDS = 12


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


def test_no_log_has_a_guests_link_in_it(server: Copy) -> None:
    secret = "c4NarY" * 8
    for path in (f"/invitations/aci_{secret}", f"/unsubscribe/acu_{secret}", f"/invitations/aci_{secret}/more"):
        assert server.ask("GET", path)[0] == server.ask("POST", path, {"answer": "accepted"})[0] == 404
    files = [server.output, *(server.folder / "var" / "log").iterdir()]
    assert not [file for file in files if secret in file.read_text()]


def test_logs_are_apart_by_level(server: Copy) -> None:
    body = {"email": "logs@example.com", "password": "correct horse"}
    token = server.ask("POST", "/api/v1/user", body)[1]["token"]
    assert server.ask("GET", "/api/v1/fail", token=token)[0] == 500
    server.processes("main")[-1].kill()  # of which granian tells, too

    def said(name: str) -> str:
        return (server.folder / "var" / "log" / name).read_text()

    wait_for(lambda: "Unexpected exit from worker-1" in said("main.error.log"), server.logs)
    assert "KeyError: 'a key that nobody set'" in said("main.error.log")
    assert "relay started" in said("relay.log")
    for program in ("main", "worker-0", "worker-1", "relay"):
        assert not re.search("WARNING|ERROR|Traceback", said(f"{program}.log"))
        assert " INFO " not in said(f"{program}.error.log")
    wait_for(server.is_ready, server.logs)


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


def test_failed_migration_stops_the_start(tmp_path: Path) -> None:
    port, supervisor_port = free_ports(2)
    with tempfile.TemporaryDirectory(prefix=f"accepted-{os.getpid()}-", dir="/tmp") as data:
        with sqlite3.connect(Path(data) / "accepted.db") as database:
            database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
            database.execute("INSERT INTO alembic_version VALUES ('from the future')")
        database.close()
        own = {"DATA_DIR": data, "PORT": str(port), "SUPERVISOR_PORT": str(supervisor_port)}
        assert start(own, tmp_path / "output").wait(PATIENCE_SECONDS) == 1
        assert not (Path(data) / "supervisord.pid").exists()
    [line] = (tmp_path / "output").read_text().splitlines()
    assert line.startswith("accepted: the migration failed, nothing was started")
    assert "from the future" in line


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_stop_leaves_nothing_behind_and_the_other_copy_alone(server: Copy, signal_number: int) -> None:
    with Copy(WORKERS="1") as other:
        other.process.send_signal(signal_number)
        assert other.process.wait(STOP_SECONDS) == 0
        assert other.processes() == []
        assert not [file for file in (other.folder / "var" / "log").glob("*.log") if "Traceback" in file.read_text()]
    assert server.is_ready()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the children of a killed process")
@pytest.mark.parametrize("killed", ["run.py", "supervisord"])
def test_killed_parent_leaves_no_orphans(killed: str) -> None:
    with Copy(WORKERS="1") as copy:
        target = copy.process if killed == "run.py" else copy.processes("supervisord")[0]
        target.kill()
        assert copy.process.wait(STOP_SECONDS) != 0
        wait_for(lambda: not copy.processes(), copy.logs, STOP_SECONDS)
