"""Throw-away Redis and PostgreSQL servers for the tests: our own children, on sockets only, gone when pytest is."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, Self

import psycopg
import redis
from psycopg import sql
from sqlalchemy.engine import URL, make_url

from app.commands.binaries import postgres_bindir, redis_binary
from app.commands.lifeline import die_with_parent

READY_SECONDS = 30
UNPRIVILEGED = "nobody"  # PostgreSQL refuses to run as root


class Server:
    """A child process with a folder of its own under /tmp: a socket's path must stay short."""

    stop_signal = signal.SIGTERM
    user: str | None = None  # whom the process runs as; None is ourselves

    def __init__(self) -> None:
        _remove_leftovers()
        self.folder = Path(tempfile.mkdtemp(prefix=f"accepted-{os.getpid()}-", dir="/tmp"))
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Returns once the server answers."""
        raise NotImplementedError

    def stop(self) -> None:
        """Ends the server in good order. What it keeps on disk stays for the next start."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """Ends the server as `kill -9` does."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """Stops the server and removes its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, signal_number: int) -> None:
        if self.process is not None:
            self.process.send_signal(signal_number)
            self.process.wait(timeout=READY_SECONDS)
            self.process = None

    def _spawn(self, *command: object, log: str) -> subprocess.Popen[bytes]:
        with (self.folder / log).open("ab") as output:
            return subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                preexec_fn=self._prepare_child,  # noqa: PLW1509  # started before any test starts a thread
                start_new_session=True,  # Ctrl-C in the terminal is pytest's to handle
            )

    def _prepare_child(self) -> None:
        if self.user is not None:
            entry = pwd.getpwnam(self.user)
            os.setgroups([])
            os.setgid(entry.pw_gid)
            os.setuid(entry.pw_uid)
        die_with_parent(self.stop_signal)  # after the change of user, which clears it

    def _wait_until(self, ready: Callable[[], Any], failures: type[Exception] | tuple[type[Exception], ...]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                ready()
                return
            except failures as error:
                if self.process is None or self.process.poll() is not None or time.monotonic() > deadline:
                    logs = "\n".join(path.read_text(errors="replace")[-2000:] for path in self.folder.glob("*.log"))
                    raise RuntimeError(f"{type(self).__name__} does not start: {error}\n{logs}") from None
                time.sleep(0.01)


class RedisServer(Server):
    """`start`, `stop`, `kill` and `wipe` it as often as a test likes: the address stays the same."""

    def __init__(self, *, persistent: bool = False) -> None:
        super().__init__()
        self.persistent = persistent
        self.socket = self.folder / "redis.sock"
        self.url = f"unix://{self.socket}"

    def start(self) -> None:
        if self.process is not None:
            return
        binary = redis_binary()
        if binary is None:
            raise RuntimeError("no Redis server here: install one, or run the tests by `python3 run.py test`")
        options = {
            "port": 0,
            "unixsocket": self.socket,
            "dir": self.folder,
            "save": "",
            "appendonly": "yes" if self.persistent else "no",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        self.process = self._spawn(binary.path, *words, log="redis.log")
        with self.client() as client:
            self._wait_until(client.ping, redis.RedisError)

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)

    def wipe(self) -> None:
        """Forgets everything, as a Redis that was replaced would."""
        with self.client() as client:
            client.flushall()


class PostgresServer(Server):
    """A server with as many databases as wanted. TEST_DATABASE_URL names one that runs already."""

    stop_signal = signal.SIGQUIT  # "immediate": nothing here is worth a checkpoint
    user = UNPRIVILEGED if os.geteuid() == 0 else None

    def __init__(self) -> None:
        super().__init__()
        external = os.environ.get("TEST_DATABASE_URL", "").strip()
        self.external = bool(external)
        own_url = URL.create("postgresql+psycopg", "postgres", database="postgres", query={"host": str(self.folder)})
        self._url = make_url(external).set(drivername="postgresql+psycopg") if external else own_url
        self._names = (f"test_{os.getpid()}_{number}" for number in count(1))
        self._databases: list[str] = []

    @property
    def url(self) -> str:
        return self._url.render_as_string(hide_password=False)

    def start(self) -> None:
        if self.external or self.process is not None:
            return
        binaries, data = self._binaries(), self.folder / "data"
        if self.user is not None:
            shutil.chown(self.folder, self.user)
        if not data.exists():
            options = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"]
            if self._spawn(binaries / "initdb", "-D", data, *options, log="initdb.log").wait() != 0:
                raise RuntimeError(f"initdb failed: {(self.folder / 'initdb.log').read_text()}")
        options = [f"-c{name}=off" for name in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum")]
        self.process = self._spawn(
            binaries / "postgres",
            "-D",
            data,
            "-k",
            self.folder,
            "-c",
            "listen_addresses=",
            *options,
            log="postgres.log",
        )
        self._wait_until(lambda: self._connect().close(), psycopg.OperationalError)

    def create_database(self, template: str | None = None) -> str:
        """Makes a database, a copy of the one whose URL is given (where nobody may be connected). Returns its URL."""
        name = next(self._names)
        original = make_url(template).database if template else "template1"
        command = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(str(original)))
        with self._connect() as connection:
            connection.execute(command)
        self._databases.append(name)
        return self._url.set(database=name).render_as_string(hide_password=False)

    def drop_database(self, url: str) -> None:
        """Removes it, whoever is connected."""
        name = str(make_url(url).database)
        with self._connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        self._databases.remove(name)

    def close(self) -> None:
        if self.external:
            for name in list(self._databases):
                self.drop_database(self._url.set(database=name).render_as_string(hide_password=False))
        super().close()

    def _connect(self) -> psycopg.Connection[Any]:
        url = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(url, autocommit=True, connect_timeout=5)

    def _binaries(self) -> Path:
        found = postgres_bindir()
        if found is None:
            raise RuntimeError("no PostgreSQL here: install one, or run the tests by `python3 run.py test`")
        if self.user is None or all(folder.stat().st_mode & 0o001 for folder in found.parents):
            return found
        # That user can't enter the folder that the wheel was installed in.
        site, copy = found.parents[2], self.folder / "installation"
        if not copy.exists():
            shutil.copytree(found.parent, copy / found.parent.relative_to(site), symlinks=True)
            shutil.copytree(site / f"{found.parents[1].name}.libs", copy / f"{found.parents[1].name}.libs")
        return copy / found.relative_to(site)


def _remove_leftovers() -> None:
    """Folders of test runs that were killed."""
    for folder in Path("/tmp").glob("accepted-*-*"):
        owner = folder.name.split("-")[1]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(folder, ignore_errors=True)
