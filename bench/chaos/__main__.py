"""Accepted under fire, and plain RQ beside it: what is lost, doubled, stuck, and how long it takes to come back.

    .venv/bin/python bench/chaos --quick
    .venv/bin/python bench/chaos --jobs 50000 --kills 1000 --seconds 1800 --workers 6 --database postgresql

Starts servers of its own on free ports, under /tmp, and removes them again.
"""

import argparse
import contextlib
import json
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])
sys.path.append(sys.path[0] + "/test")  # the tests' own servers import one another by short names

from servers import PostgresServer

from bench.chaos import plan, table
from bench.chaos.accepted import Accepted
from bench.chaos.harness import put_under_fire
from bench.chaos.plain_rq import PlainRq

QUICK = {"jobs": 800, "kills": 12, "failpoints": 8, "pauses": 1, "wipes": 3, "seconds": 20}


def main() -> int:
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no server stays behind
    numbers = {action: getattr(options, f"{action}s") for action in plan.TARGETS}
    strikes = plan.strikes(options.seed, options.seconds, **numbers)
    tasks = plan.tasks(options.seed, options.seconds, options.jobs)
    print(f"seed {options.seed}", file=sys.stderr)
    columns = {}
    say = progress(options)
    with database(options.database) as url, Accepted(url, options.workers) as accepted:
        where = log(options, f"accepted-{options.database}")
        columns[accepted.name] = put_under_fire(accepted, tasks, strikes, options.restarts, say, where)
    if options.baseline:
        with PlainRq(options.workers) as plain:
            columns[plain.name] = put_under_fire(plain, tasks, strikes, 0, say, log(options, "plain-rq"))
    missed = table.missed(columns["Accepted"])
    if options.json:
        measures = {name: column.to_dict() for name, column in columns.items()}
        print(json.dumps({"options": vars(options), "measures": measures, "missed": missed}, indent=2))
    else:
        print(f"{table.render(columns)}\n\n{table.strikes(columns['Accepted'])}")
        print(f"\nmissed: {', '.join(missed)}" if missed else "\nevery mark is met")
    return 1 if missed else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"a minute or so: {QUICK}, no baseline")
    parser.add_argument("--jobs", type=int, default=6000, help="how many requests, at a constant rate")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--failpoints", type=int, default=40, help="deaths at named points of the engine")
    parser.add_argument("--blackouts", type=int, default=0, help="kills of supervisord, and so of everything")
    parser.add_argument("--restarts", type=int, default=0, help="rolling, in good order, after the fire")
    parser.add_argument("--pauses", type=int, default=10, help="of workers past their lease, of others for less")
    parser.add_argument("--wipes", type=int, default=10, help="FLUSHALL; plain RQ is spared")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=150, help="how long load and strikes last")
    parser.add_argument("--seed", default="", help="the same seed makes the same plan; any word, random if left out")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--baseline", action=argparse.BooleanOptionalAction, default=True, help="plain RQ, too")
    parser.add_argument("--json", action="store_true", help="measures as JSON, not as a table")
    parser.add_argument("--log", default="", help="a folder for what the measures are made of, line by line")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    options = parser.parse_args()
    if options.quick:
        options.__dict__.update(QUICK, baseline=False)
    options.seed = options.seed or secrets.token_hex(4)
    return options


def progress(options: argparse.Namespace) -> Callable[[str], None]:
    """Says how it goes: over and over on one line of a terminal, every ten seconds elsewhere."""
    began, told = time.monotonic(), -10.0

    def say(text: str) -> None:
        nonlocal told
        seconds = time.monotonic() - began
        if options.quiet or (not sys.stderr.isatty() and seconds - told < 10):
            return
        told = seconds
        begin, end = ("\r", "  ") if sys.stderr.isatty() else ("", "\n")
        print(f"{begin}{seconds:4.0f} s  {text}", end=end, file=sys.stderr, flush=True)

    return say


def log(options: argparse.Namespace, name: str) -> Path | None:
    if not options.log:
        return None
    Path(options.log).mkdir(parents=True, exist_ok=True)
    return Path(options.log) / f"chaos-{name}-{options.seed}.jsonl"


@contextlib.contextmanager
def database(kind: str) -> Iterator[str]:
    """The URL of a throw-away database; empty: the server makes its own SQLite file."""
    if kind == "sqlite":
        yield ""
        return
    with PostgresServer() as server:
        yield server.create_database()


if __name__ == "__main__":
    sys.exit(main())
