"""The clients of bench/waiters.py: connections that ask, and thousands that wait or follow a stream."""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

OPENING = 50  # clients who connect at once
Place = tuple[int, str]  # the port, and the token of whoever asks there


class Connection:
    """One HTTP/1.1 connection, kept alive."""

    def __init__(self, place: Place):
        self.port, self.token = place
        self.reader: asyncio.StreamReader | None = None

    async def send(self, method: str, path: str, *headers: str, body: Any = None) -> int:
        """Returns the status, once the headers of the answer are there."""
        if self.reader is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        content = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: bench", f"Authorization: {self.token}", *headers]
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"] if body is not None else []
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + content)
        self.head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        return int(self.head.split()[1])

    async def ask(self, method: str, path: str, *headers: str, body: Any = None) -> tuple[int, Any]:
        status = await self.send(method, path, *headers, body=body)
        assert self.reader is not None
        length = re.search(r"content-length: (\d+)", self.head)
        content = await self.reader.readexactly(int(length[1]) if length else 0)
        return status, json.loads(content or b"null")

    def close(self) -> None:
        if self.reader is not None:
            self.writer.close()


@dataclass
class Job:
    id: str
    ended_at: float = 0.0
    answered_at: list[float] = field(default_factory=list)


class Clients:
    """Those who wait. `turned_away` are those who found no place."""

    def __init__(self, place: Place):
        self.place = place
        self.jobs: list[Job] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.turned_away = 0
        self.opening = asyncio.Semaphore(OPENING)

    async def add(self, number: int) -> None:
        """So many more. Returns when all of them wait."""
        connection = Connection(self.place)
        if number and not self.jobs:
            self.jobs.append(await self._make_job(connection))
        began = []
        for place in range(len(self.tasks), len(self.tasks) + number):
            if place % 10:
                self.jobs.append(await self._make_job(connection))
            job = self.jobs[-1] if place % 10 else self.jobs[0]
            there = asyncio.Event()
            follow = self._wait if place // 10 % 2 else self._stream  # ten by ten: the crowd is mixed, too
            self.tasks.append(asyncio.create_task(self._from_its_beginning(follow, job, there)))
            began.append(there.wait())
        await asyncio.gather(*began)
        connection.close()

    async def _make_job(self, connection: Connection) -> Job:
        body = {"text": "bench", "due_at": "2099-01-01T00:00:00Z"}
        status, answer = await connection.ask("POST", "/api/v1/tasks", body=body)
        assert status == 201, answer
        return Job(answer["reminder_job_id"])

    async def _from_its_beginning(self, follow: Callable[..., Awaitable[None]], job: Job, there: asyncio.Event) -> None:
        connection = Connection(self.place)
        try:
            await follow(connection, job, there)
        finally:
            there.set()
            connection.close()

    async def _wait(self, connection: Connection, job: Job, there: asyncio.Event) -> None:
        while True:
            asked = asyncio.ensure_future(connection.ask("GET", f"/api/v1/jobs/{job.id}", "Prefer: wait=30"))
            if not there.is_set():
                async with self.opening:
                    await asyncio.wait([asked], timeout=0.1)  # it waits, unless it was turned away
                there.set()
            _, answer = await asked
            if answer["done"]:
                job.answered_at.append(time.perf_counter())
                return
            if "preference-applied" not in connection.head:
                self.turned_away += 1
                await asyncio.sleep(2)

    async def _stream(self, connection: Connection, job: Job, there: asyncio.Event) -> None:
        async with self.opening:
            await connection.send("GET", f"/api/v1/jobs/{job.id}/events")
            assert connection.reader is not None
            while b"data:" not in (line := await connection.reader.readline()):
                if b"too many" in line:
                    self.turned_away += 1
                    return
        there.set()
        while b"event: done" not in (line := await connection.reader.readline()):
            if not line:
                raise ConnectionError("a stream ended before its job")
        job.answered_at.append(time.perf_counter())

    async def end(self, job: Job) -> None:
        connection = Connection(self.place)
        status, answer = await connection.ask("POST", f"/api/v1/jobs/{job.id}/cancel")
        job.ended_at = time.perf_counter()
        connection.close()
        assert status == 200, answer
