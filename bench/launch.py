"""How long does the launch of a campaign to many guests take? From the request to its answer, the commit included.

    .venv/bin/python bench/launch.py --guests 10000
    .venv/bin/python bench/launch.py --guests 10000 --database postgresql

Every fourth of them has unsubscribed. Starts no server: it calls the application, with a Redis and a database of its
own. In the same run, what else is asked about such a campaign: whom it would reach, its state, its recipients.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)
sys.path.append(str(ROOT / "test"))

from campaigns import add_guests, event_with, new_campaign, unsubscribe
from people import Person
from servers import RedisServer

from app import config, create_app, migrate
from bench.chaos.__main__ import database

BATCH = 5_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--guests", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=15, help="campaigns to launch, to the same guests")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, database(options.database) as url, RedisServer() as redis:
        env = {"DATA_DIR": folder, "APP_ENV": "test", "LOG_LEVEL": "WARNING", "REDIS_URL": redis.url}
        app = create_app(config.load(env | ({"DATABASE_URL": url} if url else {})))
        migrate.upgrade(app.extensions["accepted.engine"])
        alice = Person.sign_up(app.test_client(), "alice@example.com")
        event_id = event_with(alice)
        for begin in range(0, options.guests, BATCH):
            emails = [f"guest{number}@example.com" for number in range(begin, min(begin + BATCH, options.guests))]
            add_guests(event_id, *emails)
            unsubscribe(alice, *emails[::4])
        times: dict[str, list[float]] = {}
        for _ in range(options.rounds):
            round_of(alice, new_campaign(alice, event_id=event_id), times)
        app.extensions["accepted.engine"].dispose()
    print(
        f"{options.guests} guests, {options.database}\n{'request':<24}{'best ms':>10}{'median ms':>10}{'worst ms':>10}"
    )
    for name, seconds in times.items():
        columns = (min(seconds), statistics.median(seconds), max(seconds))
        print(f"{name:<24}" + "".join(f"{column * 1000:>10.1f}" for column in columns))


def round_of(alice: Person, campaign: dict[str, Any], times: dict[str, list[float]]) -> None:
    path = f"/api/v1/campaigns/{campaign['id']}"
    requests: dict[str, tuple[Callable[..., Any], str, dict[str, Any]]] = {
        "launch, validate_only": (alice.post, f"{path}/launch", {"json": {"validate_only": True}}),
        "launch": (alice.post, f"{path}/launch", {}),
        "show": (alice.get, path, {}),
        "recipients": (alice.get, f"{path}/recipients", {}),
        "recipients by state": (alice.get, f"{path}/recipients?state=pending", {}),
        "cancel": (alice.post, f"{path}/cancel", {}),
    }
    for name, (send, address, given) in requests.items():
        began = time.perf_counter()
        answer = send(address, **given)
        times.setdefault(name, []).append(time.perf_counter() - began)
        assert answer.status_code < 300, answer.text


if __name__ == "__main__":
    main()
