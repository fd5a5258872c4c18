"""How long do the import and the export of a long guest list take, and how much memory does the worker need?

    .venv/bin/python bench/guest_lists.py --rows 100000
    .venv/bin/python bench/guest_lists.py --rows 100000 --database postgresql

Starts a server of its own with one worker. The seconds are those of the job, from its start to its end.
"""

import argparse
import json
import re
import signal
import sys
import time
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)
sys.path.append(str(ROOT / "test"))

from copies import Copy

from bench.chaos.__main__ import database

LOOK_SECONDS = 0.2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--bad", type=int, default=100, help="every so many rows there is one that is refused")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no server stays behind
    settings = {"APP_ENV": "development", "RATE_LIMIT": "off", "WORKERS": "1"}
    with database(options.database) as url, Copy(**settings, **({"DATABASE_URL": url} if url else {})) as copy:
        body = {"email": "bench@example.com", "password": "correct horse battery"}
        token = copy.ask("POST", "/api/v1/user", body)[1]["token"]
        event = copy.ask("POST", "/api/v1/events", {"name": "Bench"}, token)[1]["id"]
        idle = memory_of(copy)
        sha256 = upload(copy, token, table(options.rows, options.bad))
        measures: dict[str, Any] = {"rows": options.rows, "MiB at rest": idle}
        for verb, body in (("import", {"file": sha256}), ("export", {})):
            _, job = copy.ask("POST", f"/api/v1/events/{event}/guests/{verb}", body, token)
            seconds, result = follow(copy, token, verb, job["id"])
            measures[f"{verb}: seconds"] = round(seconds, 1)
            measures[f"{verb}: rows/s"] = round(options.rows / seconds)
            measures[f"{verb}: MiB at most so far"] = memory_of(copy)
            measures[f"{verb}: result"] = result
    lines = [f"{name:<28}{value}" for name, value in measures.items()]
    print(json.dumps(measures) if options.json else "\n".join(lines))
    return 0


def table(rows: int, bad: int) -> bytes:
    lines = [
        f"guest-{number}{'' if number % bad == 0 else f'@host-{number % 500}.example'},Guest {number} Ünal,guest\n"
        for number in range(1, rows + 1)
    ]
    return "".join(["email,name,role\n", *lines]).encode()


def upload(copy: Copy, token: str, data: bytes) -> str:
    address = f"http://127.0.0.1:{copy.port}/api/v1/files?name=guests.csv"
    headers = {"Authorization": token, "Content-Type": "application/octet-stream"}
    with urllib.request.urlopen(urllib.request.Request(address, data, headers), timeout=60) as answer:
        return str(json.load(answer)["sha256"])


def follow(copy: Copy, token: str, verb: str, job_id: str) -> tuple[float, dict[str, Any]]:
    """Shows the progress; how many seconds it took, and the result."""
    while True:
        _, job = copy.ask("GET", f"/api/v1/jobs/{job_id}", token=token)
        done = job["progress"]["completed"] + job["progress"]["failed"]
        print(f"\r{verb} {done:>9}/{job['progress']['total']}", end="", file=sys.stderr)
        if job["done"]:
            break
        time.sleep(LOOK_SECONDS)
    print(file=sys.stderr)
    assert job["status"] == "succeeded", job
    began, ended = (datetime.fromisoformat(job[name]) for name in ("started_at", "finished_at"))
    return (ended - began).total_seconds(), job["result"]


def memory_of(copy: Copy) -> int:
    """The most that one of the worker's processes has ever had, in MiB."""
    peaks = [Path(f"/proc/{process.pid}/status").read_text() for process in copy.processes("worker")]
    return max(int(re.findall(r"VmHWM:\s+(\d+) kB", peak)[0]) for peak in peaks) >> 10


if __name__ == "__main__":
    sys.exit(main())
