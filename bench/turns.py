"""How long does one account's backlog delay another account's first job? In jobs, not in seconds: machines differ.

    .venv/bin/python bench/turns.py --backlog 100000
    .venv/bin/python bench/turns.py --backlog 100000 --database postgresql

Starts a server of its own, gives one account the backlog, and lets another ask for one job after the other. Counts how
many of the backlog's jobs began between a request's answer and the start of its job. The promise is workers + 1.
"""

import argparse
import json
import signal
import sys
import time
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)
sys.path.append(str(ROOT / "test"))

from copies import Copy
from sqlalchemy import Engine, create_engine, func, insert, select
from sqlalchemy.orm import Session

from app.models import Job
from app.models.base import now
from app.queue.client import new_id
from bench.chaos.__main__ import database

WORKERS = 2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--backlog", type=int, default=100_000)
    parser.add_argument("--asked", type=int, default=50, help="how many jobs the other account asks for")
    parser.add_argument("--steps", type=int, default=20, help="checkpoints of each job: its length")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no server stays behind
    settings = {"APP_ENV": "development", "RATE_LIMIT": "off", "WORKERS": str(WORKERS)}
    with database(options.database) as url, Copy(**settings, **({"DATABASE_URL": url} if url else {})) as copy:
        engine = create_engine(url or f"sqlite:///{copy.folder / 'var' / 'accepted.db'}")
        tokens = [sign_up(copy, name) for name in ("many", "few")]
        pile_up(engine, tokens[0][0], options.backlog, options.steps)
        time.sleep(3)  # until the backlog is what the server is busy with
        jobs = [ask(copy, engine, tokens[1][1], options.steps) for _ in range(options.asked)]
        delays = sorted(delay_of(engine, tokens[0][0], *asked) for asked in jobs)
        left = waiting(engine)
        engine.dispose()
    measures = {"p50": delays[len(delays) // 2], "max": delays[-1], "promise": WORKERS + 1, "still_waiting": left}
    print(
        json.dumps(measures) if options.json else "\n".join(f"{name:<14}{number}" for name, number in measures.items())
    )
    return int(measures["max"] > measures["promise"])


def sign_up(copy: Copy, name: str) -> tuple[int, str]:
    body = {"email": f"{name}@example.com", "password": "correct horse battery"}
    _, made = copy.ask("POST", "/api/v1/user", body)
    return made["id"], made["token"]


def pile_up(engine: Engine, account_id: int, number: int, steps: int) -> None:
    fixed = {"type": "examples.count", "queue": "low", "args": {"to": steps}, "run_at": now()}
    for begin in range(0, number, 10_000):
        rows = [
            {"id": new_id(), "account_id": account_id, "share": str(account_id), **fixed}
            for _ in range(min(10_000, number - begin))
        ]
        with Session(engine) as session:
            session.execute(insert(Job), rows)
            session.commit()
        print(f"\rpiling up {begin + len(rows):>9}/{number}", end="", file=sys.stderr)
    print(file=sys.stderr)


def ask(copy: Copy, engine: Engine, token: str, steps: int) -> tuple[str, datetime]:
    """A job's id and when it was accepted; returns as soon as it has started."""
    status, job = copy.ask("POST", "/api/v1/baz", {"to": steps}, token)
    accepted_at = now()
    assert status == 202, job
    while started_at(engine, job["id"]) is None:
        time.sleep(0.01)
    return str(job["id"]), accepted_at


def started_at(engine: Engine, job_id: str) -> datetime | None:
    with Session(engine) as session:
        return session.scalar(select(Job.started_at).where(Job.id == job_id))


def delay_of(engine: Engine, account_id: int, job_id: str, accepted_at: datetime) -> int:
    """How many jobs of the other account began while this one waited."""
    with Session(engine) as session:
        job = session.get_one(Job, job_id)
        began = (Job.started_at > accepted_at, Job.started_at < job.started_at)
        return session.scalar(select(func.count()).where(Job.account_id == account_id, *began)) or 0


def waiting(engine: Engine) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).where(Job.status == "queued")) or 0


if __name__ == "__main__":
    sys.exit(main())
