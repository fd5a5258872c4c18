#!/usr/bin/env python3
"""The one front door: `python3 run.py` starts everything, `python3 run.py test` tests everything.

Needs nothing but Python's own library until it is inside its environment (`.venv`), which it makes when needed.
"""

import importlib
import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent

if sys.version_info < (3, 11):  # noqa: UP036  # before anything that an older Python can't even define
    sys.exit("accepted: needs Python 3.11 or newer; this is " + sys.version.split()[0] + ", " + sys.executable)

COMMANDS = {
    "up": "start everything in the foreground (this is the default); Ctrl-C stops it",
    "test": "check and test everything; arguments go to pytest: run.py test -k tasks",
    "seed": "fill the database with example data",
    "user": "make and change accounts, the first administrator above all: run.py user --help",
    "migrate": "bring the database to the newest migration",
    "ctl": "steer the running programs: run.py ctl status | restart accepted:main | tail accepted:main",
}
EXTRAS = {"test": ("dev",)}  # what a command needs of the environment from the start
SUPERVISED = {
    "redis": "the local Redis",
    "web": "the API server, on the socket that `up` holds for it",
    "worker": "one worker",
    "relay": "the relay, which publishes due jobs and the schedule",
    "fatal_listener": "reports programs that supervisord has given up",
}


def main(arguments: list[str]) -> int:
    name, *rest = arguments or ["up"]
    if name in ("-h", "--help", "help"):
        print(usage())
        return 0
    if name not in COMMANDS and name not in SUPERVISED:
        print(f"accepted: there is no command {name!r}\n\n{usage()}", file=sys.stderr)
        return 2
    try:
        enter_environment(name)
        return run(name, rest)
    except KeyboardInterrupt:
        return 130


def usage() -> str:
    def listed(commands: dict[str, str]) -> str:
        return "\n".join(f"  {name:<15} {text}" for name, text in commands.items())

    return f"usage: python3 run.py [command]\n\n{listed(COMMANDS)}\n\nwhat supervisord runs:\n{listed(SUPERVISED)}"


def enter_environment(name: str) -> None:
    """Goes on inside `.venv`, made or renewed first if needed. ACCEPTED_SETUP=false: the packages are there already."""
    if os.environ.get("ACCEPTED_SETUP", "").strip().lower() == "false":
        return
    inside = os.path.exists(ROOT / ".venv") and os.path.samefile(sys.prefix, ROOT / ".venv")
    if inside and name in SUPERVISED:
        return  # a program that comes back must never rebuild the environment under the others
    environment = _load_environment()
    if not environment.is_ready():
        if inside:
            os.execv(sys._base_executable, [sys._base_executable, *sys.argv])  # type: ignore[attr-defined]  # noqa: S606
        try:
            environment.make(*EXTRAS.get(name, ()))
        except environment.SetupError as error:
            sys.exit(f"accepted: {error}")
    if not inside:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each process compiles all of the server at each start
        sys.stdout.flush()
        os.execv(environment.PYTHON, [environment.PYTHON, __file__, *sys.argv[1:]])  # noqa: S606  # no shell wanted


def _load_environment() -> Any:
    """By its path: `import app` needs packages that are not there yet."""
    path = ROOT / "app" / "commands" / "environment.py"
    spec = spec_from_file_location("environment", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(name: str, arguments: list[str]) -> int:
    from app.errors import ConfigError  # noqa: PLC0415  # importable only inside the environment

    try:
        command = importlib.import_module(f"app.commands.{name}")
        return int(command.main(arguments))
    except ConfigError as error:
        print(f"accepted: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
