"""`run.py test`: lint, types and all tests. With arguments only pytest, which gets them: `run.py test -k tasks`."""

import os
import subprocess
import sys

from app.commands import binaries, environment
from app.config import ROOT

CHECKS = {
    "ruff check": ["ruff", "check", "--quiet", "."],
    "ruff format": ["ruff", "format", "--check", "--quiet", "."],
    "mypy": ["mypy", "--no-error-summary"],
}
MOST_PROCESSES = 8  # each brings its own servers


def main(arguments: list[str]) -> int:
    install()
    if arguments:
        return run("pytest", *arguments)
    checks = {name: start(*words) for name, words in CHECKS.items()}  # beside the tests, which wait a lot
    processes = min((os.cpu_count() or 1) + 1, MOST_PROCESSES)  # one of them mostly waits for whole servers
    failed = [] if run("pytest", "-n", str(processes)) == 0 else ["pytest"]
    for name, check in checks.items():  # quiet, unless something is wrong: so the tests' own closing line comes last
        said, _ = check.communicate()
        print(said, end="")
        if check.returncode != 0:
            failed.append(name)
    if failed:
        print(f"accepted: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def install() -> None:
    """What the tests need beyond the server's own needs; servers only where the machine has none."""
    wanted = ["dev"]
    if binaries.redis_binary() is None:
        wanted.append("redis")
    if not os.environ.get("TEST_DATABASE_URL", "").strip() and binaries.postgres_bindir() is None:
        wanted.append("postgres")
    environment.add(*wanted)


def start(module: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", module, *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def run(module: str, *words: str) -> int:
    sys.stdout.flush()
    return subprocess.run([sys.executable, "-m", module, *words], cwd=ROOT, check=False).returncode  # noqa: S603
