"""Does a page cost the same, wherever it is? Fills a table and times pages at its start, middle and end.

    .venv/bin/python bench/lists.py --rows 1000000
    .venv/bin/python bench/lists.py --rows 1000000 --database-url postgresql://…

The database must be a throw-away one; by default it is an SQLite file that is deleted again.
"""

import argparse
import base64
import json
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app import config, create_app, migrate
from app.db import session
from app.models import Task
from app.models.base import rfc3339

START = datetime(2026, 1, 1, tzinfo=UTC)
BATCH = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--pages", type=int, default=200, help="how many pages to time at each place")
    parser.add_argument("--database-url", default="")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        env = {"DATA_DIR": folder, "APP_ENV": "test", "DATABASE_URL": options.database_url, "LOG_LEVEL": "WARNING"}
        app = create_app(config.load(env))
        migrate.upgrade(app.extensions["accepted.engine"])
        client = app.test_client()
        made = client.post("/api/v1/user", json={"email": "bench@example.com", "password": "correct horse"}).json
        first = fill(made["id"], options.rows)
        print(f"{'sort':<14}{'place':<10}{'median ms':>10}{'p99 ms':>10}")
        for sort in ("created_at", "-created_at", "due_at"):
            for place, offset in (("start", 0), ("middle", options.rows // 2), ("end", options.rows - 60)):
                times = time_pages(client, made["token"], sort, offset, options.rows, first, options.pages)
                print(f"{sort:<14}{place:<10}{statistics.median(times):>10.2f}{times[int(len(times) * 0.99)]:>10.2f}")


def fill(user_id: int, rows: int) -> int:
    """A task for each second since START, each due an hour after it was made. The id of the first."""
    for begin in range(0, rows, BATCH):
        moments = [START + timedelta(seconds=n) for n in range(begin, min(begin + BATCH, rows))]
        session.execute(
            Task.__table__.insert(),
            [
                {"user_id": user_id, "text": "x", "done": False, "created_at": at, "updated_at": at, "due_at": at}
                for at in moments
            ],
        )
        session.commit()
        print(f"\rfilling {begin + len(moments):>9}/{rows}", end="", file=sys.stderr)
    print(file=sys.stderr)
    return int(session.scalars(Task.__table__.select().order_by(Task.id).limit(1)).one())


def time_pages(client: Any, token: str, sort: str, offset: int, rows: int, first: int, pages: int) -> list[float]:
    """Milliseconds of each page, sorted."""
    place = rows - offset if sort.startswith("-") else offset
    moment = rfc3339(START + timedelta(seconds=place))
    page_token = base64.urlsafe_b64encode(json.dumps([sort, moment, first + place]).encode()).decode().rstrip("=")
    times = []
    for _ in range(pages):
        begin = time.perf_counter()
        answer = client.get(
            f"/api/v1/tasks?sort={sort}&page_size=50&page_token={page_token}", headers={"Authorization": token}
        )
        times.append((time.perf_counter() - begin) * 1000)
        assert answer.status_code == 200, answer.text
        assert len(answer.json["items"]) >= 1
    return sorted(times)


if __name__ == "__main__":
    main()
