"""Accepted itself under fire: a copy of the whole server, a Honeybadger of our own, and the database to look into."""

import uuid
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import psutil
import redis
from collector import Collector
from copies import Copy
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.orm import Session

from app.config import ROOT
from app.models import Job
from app.models.base import now, rfc3339
from app.models.job import DONE
from bench.chaos.plan import Task
from bench.chaos.system import Facts, Run

INSIDE = Path(__file__).parent / "inside"
CRASHED = "job-crashed"


class Accepted:
    name = "Accepted"
    targets: tuple[str, ...] = ("worker", "redis", "main", "relay")
    can_be_wiped = True

    def __init__(self, database_url: str = "", workers: int = 2):
        self.collector = Collector()
        self.copy = Copy(
            APP_ENV="development",
            PYTHONPATH=f"{INSIDE}:{ROOT}",
            WORKERS=str(workers),
            RATE_LIMIT="off",
            LOG_LEVEL="INFO",
            HONEYBADGER_API_KEY="for the harness only",
            HONEYBADGER_ENDPOINT=self.collector.url,
            **({"DATABASE_URL": database_url} if database_url else {}),
        )
        self.data = self.copy.folder / "var"
        self.engine: Engine = create_engine(database_url or f"sqlite:///{self.data / 'accepted.db'}")
        self.token = ""

    def __enter__(self) -> Self:
        self.collector.__enter__()
        self.copy.__enter__()
        with self.engine.begin() as connection:
            connection.execute(text("CREATE TABLE chaos_effects (job_id VARCHAR(36), attempt INTEGER)"))
        body = {"email": "chaos@example.com", "password": "correct horse battery"}
        status, made = self.copy.ask("POST", "/api/v1/user", body)
        assert status == 201, (status, made)
        self.token = made["token"]
        return self

    def __exit__(self, *error: object) -> None:
        self.engine.dispose()
        self.copy.__exit__(*error)
        self.collector.__exit__(*error)

    def post(self, task: Task) -> str | None:
        if task.kind == "mail":
            body: dict[str, Any] = {"text": "chaos", "due_at": rfc3339(now() + timedelta(seconds=1))}
            status, answer = self.copy.ask("POST", "/api/v1/tasks", body, self.token)
            return str(answer["reminder_job_id"]) if status == 201 else None
        status, answer = self.copy.ask("POST", "/api/v1/baz", {"to": task.to}, self.token)
        return str(answer["id"]) if status == 202 else None

    def processes(self, program: str) -> list[psutil.Process]:
        return self.copy.processes(program)

    def pid_of(self, process: psutil.Process) -> int:
        """A worker is a parent and its child; by the child's number it signs its attempts."""
        return (process.children() or [process])[0].pid

    def wipe(self) -> None:
        url = f"unix://{quote(str(self.data / 'redis' / 'redis.sock'))}"
        with redis.Redis.from_url(url, socket_timeout=1) as client:
            client.flushall()

    def is_settled(self, accepted: set[str]) -> bool:
        """Every job is done, and every failure was reported."""
        with Session(self.engine) as session:
            open_jobs = select(Job.id).where(
                Job.status.not_in(DONE) | ((Job.status == "failed") & Job.reported_at.is_(None))
            )
            return session.scalars(open_jobs.limit(1)).first() is None

    def facts(self, accepted: dict[str, Task]) -> Facts:
        with Session(self.engine) as session:
            jobs = list(session.scalars(select(Job).where(Job.type.in_(("examples.count", "tasks.remind")))))
            effects: dict[str, list[int]] = defaultdict(list)
            for job_id, attempt in session.execute(text("SELECT job_id, attempt FROM chaos_effects")):
                effects[str(uuid.UUID(str(job_id)))].append(attempt)
            mails = {path.name.split("-")[1] for path in (self.data / "mail").glob("task-*.eml")}
            found = Facts(runs={job.id: self._run(job, effects[job.id], mails) for job in jobs})
            found.restarts = [cut for job in jobs for cut in _cuts(job)]
        tokens = Counter(
            (notice.context["job_id"], notice.error["token"])
            for notice in list(self.collector.received)
            if notice.context.get("job_id")
        )
        found.reports = dict(Counter(job_id for job_id, _ in tokens))
        found.repeats = sum(tokens.values()) - len(tokens)
        found.runs |= {job_id: Run("lost") for job_id in accepted if job_id not in found.runs}
        return found

    def _run(self, job: Job, attempts: list[int], mails: set[str]) -> Run:
        status = job.status if job.status in DONE else "pending"
        if job.status == "failed" and str((job.error or {}).get("type")).endswith(CRASHED):
            status = "parked"
        if job.type == "tasks.remind":
            return Run(status, int(str(job.args["task_id"]) in mails))
        stale = sum(attempt != job.attempt for attempt in attempts)
        return Run(status, len(attempts), stale, failing=job.args["to"] >= 900)


GONE = ("The worker vanished", "The worker's process died")


def _cuts(job: Job) -> list[tuple[int, datetime, datetime | None]]:
    """Attempts that were taken back from a dead worker – by the relay, or by the parent of the process – and when the
    next one began."""
    attempts = job.attempts
    found = []
    for one, following in zip(attempts, [*attempts[1:], None], strict=True):
        if one["error"] in GONE:
            pid = int(one["worker"].split(".")[-2])
            again = datetime.fromisoformat(following["started_at"]) if following else None
            found.append((pid, datetime.fromisoformat(one["started_at"]), again))
    return found
