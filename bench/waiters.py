"""Do thousands who wait starve the others? Times ordinary requests to a server with idle waiters, and in turns to one
that has none, since the machine may have other work, too.

    .venv/bin/python bench/waiters.py
    .venv/bin/python bench/waiters.py --waiting 500,2000 --processes 1,2 --database postgresql --json

Half of the clients wait (`Prefer: wait=30`, asked again and again), half follow a stream of events, each a job of its
own; but one in ten follows the same job: the crowd. The jobs are reminders that are far from due, and end by being
canceled. Each column is one number of clients, of one server.
"""

import argparse
import asyncio
import contextlib
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

sys.path[0] = str(Path(__file__).resolve().parent.parent)
sys.path.append(sys.path[0] + "/test")  # the tests' own servers import one another by short names

from copies import Copy
from servers import PostgresServer

from bench.waiting_clients import Clients, Connection, Place

ORDINARY, PAUSE_SECONDS = 4, 0.04  # clients who ask at once, and how long each pauses
SINGLES = 25  # jobs with one waiter each that are ended, one after the other
ROUNDS = 4  # how often ordinary requests go to one server and then to the other


@dataclass
class Column:
    """Times in milliseconds."""

    processes: int
    waiting: int
    get_p50: float = 0.0
    get_p50_alone: float = 0.0  # of the server where nobody waits
    get_p99: float = 0.0
    get_p99_alone: float = 0.0
    post_p50: float = 0.0
    post_p50_alone: float = 0.0
    post_p99: float = 0.0
    post_p99_alone: float = 0.0
    refused: int = 0  # ordinary requests
    turned_away: int = 0  # waiters
    woken_p50: float = 0.0  # from the answer that its job is canceled, until the one waiter has its own
    woken_max: float = 0.0
    crowd_size: int = 0
    crowd_last: float = 0.0  # the same, until the last of the crowd has it
    beside_crowd_max: float = 0.0  # the slowest ordinary request meanwhile
    idle_cpu_percent: float = 0.0  # of one processor; those who wait ask again every 30 s
    rss_mb: float = 0.0
    rss_mb_alone: float = 0.0
    threads: int = 0
    transactions_per_second: float | None = None  # of the whole server; PostgreSQL counts them


class Server:
    """One copy of the whole server, its clients, and what it takes."""

    def __init__(self, copy: Copy, count: Callable[[], Any]):
        body = {"email": "bench@example.com", "password": "correct horse battery"}
        self.place: Place = (copy.port, copy.ask("POST", "/api/v1/user", body)[1]["token"])
        self.web = copy.processes("main")
        self.count = count
        self.clients = Clients(self.place)

    def cpu_seconds(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self.web)

    def rss_mb(self) -> float:
        return sum(process.memory_info().rss for process in self.web) / 2**20


Times = dict[str, list[float]]  # milliseconds of each request, by method


async def ordinary(place: Place, seconds: float, column: Column) -> Times:
    times: Times = {"get": [], "post": []}
    until = time.perf_counter() + seconds

    async def go_on() -> None:
        connection = Connection(place)
        while time.perf_counter() < until:
            for method, body in (("get", None), ("post", {"text": "x"})):
                began = time.perf_counter()
                try:
                    status, _ = await connection.ask(method.upper(), "/api/v1/tasks", body=body)
                    column.refused += status >= 300
                except (OSError, asyncio.IncompleteReadError):
                    column.refused += 1
                    connection = Connection(place)
                times[method].append((time.perf_counter() - began) * 1000)
                await asyncio.sleep(PAUSE_SECONDS)
        connection.close()

    await asyncio.gather(*(go_on() for _ in range(ORDINARY)))
    return times


async def measure(busy: Server, alone: Server, column: Column, seconds: float) -> None:
    say(f"{column.processes} process(es): {column.waiting} clients …")
    await busy.clients.add(column.waiting - len(busy.clients.tasks))
    before, used, began = busy.count(), busy.cpu_seconds(), time.perf_counter()
    await asyncio.sleep(seconds)
    spent = time.perf_counter() - began
    column.idle_cpu_percent = (busy.cpu_seconds() - used) / spent * 100
    column.transactions_per_second = None if before is None else (busy.count() - before) / spent
    column.threads = sum(process.num_threads() for process in busy.web)
    found: dict[str, Times] = {"": {"get": [], "post": []}, "_alone": {"get": [], "post": []}}
    for _ in range(ROUNDS):
        for suffix, server in (("", busy), ("_alone", alone)):
            times = await ordinary(server.place, seconds / ROUNDS, column)
            for method, some in times.items():
                found[suffix][method] += some
    for suffix, server in (("", busy), ("_alone", alone)):
        setattr(column, f"rss_mb{suffix}", server.rss_mb())
        for method, times_of in found[suffix].items():
            setattr(column, f"{method}_p50{suffix}", statistics.median(times_of))
            setattr(column, f"{method}_p99{suffix}", sorted(times_of)[int(len(times_of) * 0.99)])


async def end_jobs(server: Server, column: Column) -> None:
    """Ends some jobs with one waiter each, and then the one of the crowd, beside ordinary requests."""
    clients, woken = server.clients, []
    for job in clients.jobs[-SINGLES:]:
        await clients.end(job)
        while not job.answered_at:
            await asyncio.sleep(0.001)
        woken.append(max(0.0, job.answered_at[0] - job.ended_at) * 1000)
    column.woken_p50, column.woken_max = statistics.median(woken), max(woken)
    crowd, column.crowd_size = clients.jobs[0], (len(clients.tasks) + 9) // 10
    beside = asyncio.create_task(ordinary(server.place, 3, column))
    await asyncio.sleep(0.5)
    await clients.end(crowd)
    column.beside_crowd_max = max(max(found) for found in (await beside).values())
    deadline = time.perf_counter() + 60
    while len(crowd.answered_at) < column.crowd_size and time.perf_counter() < deadline:
        await asyncio.sleep(0.01)
    column.crowd_last = max(crowd.answered_at) - crowd.ended_at
    column.crowd_last, column.crowd_size = column.crowd_last * 1000, len(crowd.answered_at)


async def run(busy: Server, alone: Server, processes: int, numbers: list[int], seconds: float) -> list[Column]:
    columns = []
    for server in (busy, alone):
        await ordinary(server.place, 1, Column(0, 0))  # the first requests find nothing imported
    for number in numbers:
        columns.append(Column(processes, number))
        await measure(busy, alone, columns[-1], seconds)
    await end_jobs(busy, columns[-1])
    columns[-1].turned_away = busy.clients.turned_away
    for task in busy.clients.tasks:
        task.cancel()
    await asyncio.gather(*busy.clients.tasks, return_exceptions=True)
    return columns


@contextlib.contextmanager
def database(kind: str) -> Iterator[tuple[dict[str, str], Callable[[], int | None]]]:
    """Its settings, and what counts its transactions so far."""
    if kind == "sqlite":
        yield {}, lambda: None
        return
    with PostgresServer() as server:
        url = server.create_database()
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        counted = text("SELECT sum(xact_commit + xact_rollback) FROM pg_stat_database")

        def count() -> int:
            with engine.connect() as connection:
                return int(connection.scalar(counted) or 0)

        yield {"DATABASE_URL": url}, count
        engine.dispose()


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--waiting", default="500,2000", help="how many clients wait, growing")
    parser.add_argument("--processes", default="1", help="WEB_CONCURRENCY, one server after the other")
    parser.add_argument("--seconds", type=float, default=10, help="how long each measurement takes")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    columns: list[Column] = []
    numbers = sorted(map(int, options.waiting.split(",")))
    for processes in map(int, options.processes.split(",")):
        settings = {"RATE_LIMIT": "off", "RATE_LIMIT_ADDRESS": "off", "WEB_CONCURRENCY": str(processes)}
        with contextlib.ExitStack() as stack:
            servers = []
            for _ in range(2):
                url, count = stack.enter_context(database(options.database))
                servers.append(Server(stack.enter_context(Copy(**settings, **url)), count))
            columns += asyncio.run(run(servers[0], servers[1], processes, numbers, options.seconds))
    if options.json:
        print(json.dumps([asdict(column) for column in columns], indent=2))
        return
    for name in asdict(columns[0]):
        values = [getattr(column, name) for column in columns]
        print(f"{name:<24}" + "".join(f"{'–' if value is None else round(value, 1):>12}" for value in values))


if __name__ == "__main__":
    main()
