"""Workers and relays in processes of their own that start at once: forked by a process that has imported everything.
One that imports it by itself needs half a second of a processor for that, and the tests start many."""

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any, Self

from copies import PATIENCE_SECONDS, wait_for

from app import config
from app.commands.lifeline import die_with_parent

PROGRAMS = {"worker": "watched", "relay": "app.commands.relay"}  # each has a `main`


class Grown:
    """A process out of the nursery, used like one of `subprocess`. It ends with the nursery at the latest."""

    def __init__(self, nursery: "Nursery", pid: int) -> None:
        self.nursery, self.pid = nursery, pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self.nursery.ask(ended=self.pid)
        return self.returncode

    def wait(self, timeout: float = PATIENCE_SECONDS) -> int | None:
        wait_for(lambda: self.poll() is not None, lambda: f"process {self.pid} goes on", timeout)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Nursery:
    def __enter__(self) -> Self:
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, (config.ROOT, config.ROOT / "test")))}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([sys.executable, __file__], env=env, text=True, stdin=pipe, stdout=pipe)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()

    def start(self, program: str, settings: config.Settings, log: Path, **environment: str) -> Grown:
        """One of PROGRAMS, with these settings, and others by their names in the environment."""
        shared = {
            "PATH": os.environ["PATH"],
            "APP_ENV": "test",
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": settings.redis_url,
            "DATA_DIR": str(settings.data_dir),
            "SECRET_KEY": settings.secret_key,
        }
        asked = {"program": program, "log": str(log), "environment": shared | environment}
        return Grown(self, self.ask(start=asked))

    def ask(self, **request: Any) -> Any:
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())


def serve() -> None:
    """One request a line: start a process, or say with which code one has ended, if it has."""
    die_with_parent()
    gc.disable()
    importlib.import_module("app.queue.relay")  # what the programs import once they run
    mains = {program: importlib.import_module(module).main for program, module in PROGRAMS.items()}
    gc.freeze()
    gc.enable()
    for line in sys.stdin:
        request = json.loads(line)
        answer = _ended(request["ended"]) if "ended" in request else _start(mains, **request["start"])
        print(json.dumps(answer), flush=True)


def _ended(pid: int) -> int | None:
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def _start(mains: dict[str, Any], program: str, log: str, environment: dict[str, str]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for number, target in enumerate((os.open(os.devnull, os.O_RDONLY), output, output)):
            os.dup2(target, number)
        sys.argv[:] = [program]  # by which it is named at its point of death
        os.environ.clear()
        os.environ.update(environment)
        importlib.reload(importlib.import_module("app.queue.failpoints"))  # which looks at its environment once
        code = mains[program]([])
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    serve()
