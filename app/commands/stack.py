"""The running stack: supervisord as our child, from its start until the last process is gone. Knows no command line."""

import fcntl
import hashlib
import http.client
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from app.commands.lifeline import die_with_parent
from app.config import ANY_ADDRESS, ROOT, Settings

STOP_SECONDS = 9  # supervisord.conf gives each program 6; beyond that, everything is killed
SLOW_START_SECONDS = 30
KEPT_FROM = 200  # supervisord closes in its programs what it may have opened itself: whatever is below the socket
CONFIG = ROOT / "supervisord.conf"


class Stack:
    """`stop` may be called at any time, by a signal handler too: once to end in good order, twice to kill."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.process: subprocess.Popen[bytes] | None = None
        self.stopping = False
        self.deadline = 0.0  # by the monotonic clock: when stopping has taken long enough

    def start(self, listener: socket.socket) -> None:
        """The web server listens on `listener`, which stays open here: its restarts refuse nobody."""
        kept = fcntl.fcntl(listener, fcntl.F_DUPFD, KEPT_FROM)
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(CONFIG)]
        if os.geteuid() == 0:
            command += ["--user", "root"]  # else it complains about being root
        self.process = subprocess.Popen(  # noqa: S603  # our own words
            command,
            env=environment(self.settings) | {"LISTEN_FD": str(kept)},
            pass_fds=(kept,),
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C comes to us, and we stop it in good order
            preexec_fn=_end_with_us,  # noqa: PLW1509  # this process has no threads
        )
        if self.stopping:  # a signal came just before
            self.stopping = False
            self.stop()

    def stop(self) -> None:
        again, self.stopping = self.stopping, True
        if self.process is None:
            return
        if again:
            self.process.kill()
            return
        self.process.terminate()
        self.deadline = time.monotonic() + STOP_SECONDS
        signal.signal(signal.SIGALRM, lambda *_: self._hurry())
        signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)

    def wait_until_ready(self, say: Callable[[str], None]) -> bool:
        """True once /readyz answers 200; False if everything ended before that."""
        assert self.process is not None
        start, told = time.monotonic(), False
        while self.process.poll() is None and not self.stopping:
            answer = self._readiness()
            if answer == "":
                return True
            if not told and time.monotonic() - start > SLOW_START_SECONDS:
                told = True
                say(f"not ready after {SLOW_START_SECONDS} s, still trying: {answer}; logs: {self.settings.log_dir}")
        return False

    def wait(self) -> int:
        """Waits for supervisord's end and returns its exit code."""
        assert self.process is not None
        code = self.process.wait()
        signal.setitimer(signal.ITIMER_REAL, 0)
        return code

    def _readiness(self) -> str:
        """Empty if ready, else what is missing. The first to ask stands in line before there is a web server."""
        assert self.process is not None
        patience = time.monotonic() + 5
        connection = http.client.HTTPConnection(local_host(self.settings), self.settings.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            while not select.select([connection.sock], [], [], 0.05)[0]:
                _wake_supervisord(self.settings.supervisor_port)
                if self.stopping or self.process.poll() is not None or time.monotonic() > patience:
                    return "main does not answer"
            answer = connection.getresponse()
            body = answer.read().decode(errors="replace")
            return "" if answer.status == http.HTTPStatus.OK else " ".join(body.split())
        except (OSError, http.client.HTTPException) as error:
            return f"main does not answer ({error})"
        finally:
            connection.close()

    def _hurry(self) -> None:
        """While supervisord stops: from one program to the next without delay, and not for ever."""
        if time.monotonic() > self.deadline:
            self.stop()
        else:
            _wake_supervisord(self.settings.supervisor_port)


def environment(settings: Settings) -> dict[str, str]:
    """Every ENV_… that supervisord.conf mentions; its programs read the same settings as we did, from wherever."""
    password = settings.supervisor_password
    return os.environ | {
        "ACCEPTED_PYTHON": sys.executable,
        "ROOT_DIR": str(settings.root_dir),
        "DATA_DIR": str(settings.data_dir),
        "LOG_DIR": str(settings.log_dir),
        "REDIS_IS_LOCAL": str(settings.redis_is_local).lower(),
        "WORKERS": str(settings.workers),
        "SUPERVISOR_PORT": str(settings.supervisor_port),
        "SUPERVISOR_USER": settings.supervisor_user,
        "SUPERVISOR_PASSWORD": password,
        "SUPERVISOR_PASSWORD_SHA": hashlib.sha1(password.encode()).hexdigest(),  # noqa: S324  # supervisord's format
    }


def local_host(settings: Settings) -> str:
    """Where we reach ourselves."""
    return "127.0.0.1" if settings.host in ANY_ADDRESS else settings.host


def password_place(settings: Settings) -> str:
    if os.environ.get("SUPERVISOR_PASSWORD", "").strip():
        return "as set in SUPERVISOR_PASSWORD"
    return f"in {Path(settings.data_dir) / 'secrets' / 'supervisor_password'}"


def _end_with_us() -> None:
    die_with_parent(signal.SIGTERM)


def _wake_supervisord(port: int) -> None:
    """It looks after its programs once a second, or when somebody calls: nothing need wait for that second."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        pass  # not listening yet
