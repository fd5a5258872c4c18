"""Accepted itself under fire: a copy of the whole server, a Honeybadger and a mail server of our own, and the database
to look into."""

import subprocess
import sys
import tempfile
import uuid
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import psutil
import redis
from collector import Collector
from copies import PATIENCE_SECONDS, Copy, wait_for
from sqlalchemy import Connection, Engine, Row, create_engine, select, text
from sqlalchemy.orm import Session

from app.config import ROOT
from app.models import Job
from app.models.base import now, rfc3339
from app.models.job import DONE, HELD, WAITING
from app.queue.failpoints import POINTS
from bench.chaos.failpoints import Failpoints
from bench.chaos.mailbox import Mailbox
from bench.chaos.plan import Task, is_told
from bench.chaos.system import Facts, Run, of_workers

INSIDE = Path(__file__).parent / "inside"
CRASHED = "job-crashed"
ELSEWHERE = ("given-back", "marked", "handed-over")  # points that only a worker reaches which has to stop, or sends
RESTARTS = {"main": ("restart", "accepted:main")}  # how a deploy restarts a program, where it is not by its own name
COLUMNS = (Job.id, Job.type, Job.status, Job.args, Job.attempt, Job.error)


class Accepted:
    name = "Accepted"
    targets: tuple[str, ...] = ("worker", "child", "redis", "main", "relay", "supervisord", "failpoint")
    can_be_wiped = True

    def __init__(self, database_url: str = "", workers: int = 2, points: tuple[str, ...] = POINTS):
        self.collector, self.mailbox = Collector(), Mailbox()
        self.programs = (*(f"worker-{number}" for number in range(workers)), "relay", "main")
        self.database_url = database_url
        self.folder = tempfile.TemporaryDirectory(prefix="accepted-failpoints-")
        self.settings = {
            "APP_ENV": "development",
            "PYTHONPATH": f"{INSIDE}:{ROOT}",
            "WORKERS": str(workers),
            "RATE_LIMIT": "off",
            "LOG_LEVEL": "INFO",
            "HONEYBADGER_API_KEY": "for the harness only",
            "HONEYBADGER_ENDPOINT": self.collector.url,
            "SMTP_URL": self.mailbox.url,
            "ACCEPTED_FAILPOINTS": self.folder.name,
            **({"DATABASE_URL": database_url} if database_url else {}),
        }
        self.failpoints = Failpoints(Path(self.folder.name), tuple(one for one in points if one not in ELSEWHERE))
        self.token = ""
        self.statuses: Counter[int] = Counter()  # of all answers

    def __enter__(self) -> Self:
        self.collector.__enter__()
        self.mailbox.__enter__()
        self.copy = Copy(**self.settings)
        self.copy.__enter__()
        self.data = self.copy.folder / "var"
        self.engine: Engine = create_engine(self.database_url or f"sqlite:///{self.data / 'accepted.db'}")
        with self.engine.begin() as connection:
            columns = "job_id VARCHAR(36), attempt INTEGER, follower VARCHAR(36)"
            connection.execute(text(f"CREATE TABLE chaos_effects ({columns})"))
        body = {"email": "chaos@example.com", "password": "correct horse battery"}
        status, made = self.copy.ask("POST", "/api/v1/user", body)
        assert status == 201, (status, made)
        self.token = made["token"]
        return self

    def __exit__(self, *error: object) -> None:
        self.engine.dispose()
        self.copy.__exit__(*error)
        self.mailbox.__exit__(*error)
        self.collector.__exit__(*error)
        self.folder.cleanup()

    def post(self, task: Task) -> str | None:
        if task.kind == "mail":
            body: dict[str, Any] = {"text": "chaos", "due_at": rfc3339(now() + timedelta(seconds=1))}
            status, answer = self.copy.ask("POST", "/api/v1/tasks", body, self.token)
            self.statuses[status] += 1
            return str(answer["reminder_job_id"]) if status == 201 else None
        status, answer = self.copy.ask("POST", "/api/v1/baz", {"to": task.to}, self.token)
        self.statuses[status] += 1
        return str(answer["id"]) if status == 202 else None

    def processes(self, target: str) -> list[psutil.Process]:
        if target in ("worker", "child"):
            return of_workers(self.copy.processes("worker"), target)
        return self.copy.processes(target)

    def pid_of(self, process: psutil.Process) -> int:
        """By its child's number a worker signs its attempts."""
        return (process.children() or [process])[0].pid

    def wipe(self) -> None:
        url = f"unix://{quote(str(self.data / 'redis' / 'redis.sock'))}"
        with redis.Redis.from_url(url, socket_timeout=1) as client:
            client.flushall()

    def black_out(self) -> None:
        for process in self.copy.processes("supervisord"):
            process.kill()
        self.copy.start_again()

    def restart(self, program: str) -> None:
        words = RESTARTS.get(program, ("restart", f"accepted:{program}"))
        env = {**self.copy.environment(), "ACCEPTED_SETUP": "false"}
        subprocess.run([sys.executable, ROOT / "run.py", "ctl", *words], env=env, check=True, capture_output=True)
        wait_for(self.copy.is_ready, self.copy.logs, PATIENCE_SECONDS)

    def is_settled(self, accepted: set[str]) -> bool:
        """Every job is done, but for what the schedule has just asked for."""
        return self._has_none(Job.status.in_(WAITING + HELD) & ~_is_just_scheduled())

    def is_told(self) -> bool:
        return self._has_none((Job.status == "failed") & Job.reported_at.is_(None))

    def _has_none(self, condition: Any) -> bool:
        with self.engine.connect() as connection:
            return connection.scalar(select(Job.id).where(condition).limit(1)) is None

    def facts(self, accepted: dict[str, Task]) -> Facts:
        with self.engine.connect() as connection:
            found = self._runs(connection)
        with Session(self.engine) as session:
            crashed = session.scalars(select(Job).where(Job.crashes > 0).execution_options(yield_per=100))
            found.restarts = [cut for job in crashed for cut in _cuts(job)]
        self._read_alerts(found)
        found.statuses = self.statuses
        found.mails = len(self.mailbox.received)
        found.mail_repeats = sum(self.mailbox.received.values()) - found.mails
        found.runs |= {job_id: Run("lost") for job_id in accepted.keys() | found.followers if job_id not in found.runs}
        return found

    def _read_alerts(self, found: Facts) -> None:
        """An alert names its job or, in a storm, counts its jobs and names the first of them. One that comes again has
        the same token."""
        alerts: dict[str, list[str]] = {}
        for notice in list(self.collector.received):
            token, context = notice.error["token"], notice.context
            found.alerts.append({"token": token, "class": notice.error["class"], "context": context})
            if "job" not in notice.error["tags"]:
                continue  # of an error on the way, which is no job's end
            named = [context["job_id"]] if context.get("job_id") else context.get("job_ids", [])
            found.repeats += token in alerts
            if named and token not in alerts:
                found.counted += context.get("count", 1) - len(named)
            alerts[token] = named
        found.reports = dict(Counter(job_id for named in alerts.values() for job_id in named))

    def _runs(self, connection: Connection) -> Facts:
        """Row by row: there may be a hundred thousand."""
        found = Facts()
        effects: dict[str, list[int]] = defaultdict(list)
        for job_id, attempt, follower in connection.execute(text("SELECT * FROM chaos_effects")):
            effects[str(uuid.UUID(str(job_id)))].append(attempt)
            if follower:
                found.followers.add(str(uuid.UUID(str(follower))))
        ours = Job.type.in_(("examples.count", "tasks.remind")) & (Job.status.in_(DONE) | ~_is_just_scheduled())
        for job in connection.execution_options(yield_per=1000).execute(select(*COLUMNS).where(ours)):
            found.runs[job.id] = self._run(job, effects[job.id])
            found.orphans += job.args.get("to") == 0 and job.id not in found.followers
        return found

    def _run(self, job: Row[Any], attempts: list[int]) -> Run:
        status = job.status if job.status in DONE else "pending"
        if job.status == "failed" and str((job.error or {}).get("type")).endswith(CRASHED):
            status = "parked"
        if job.type == "tasks.remind":
            key = f"task-{job.args['task_id']}-{job.args['due_at'].replace(':', '')}"  # as in app/workers/tasks.py
            return Run(status, int(self.mailbox.received[key] > 0), is_mail=True)
        stale = sum(attempt != job.attempt for attempt in attempts)
        to = job.args.get("to", 0)
        return Run(status, len(attempts), stale, failing=to if is_told("failing", to) else 0)


def _is_just_scheduled() -> Any:
    """The schedule never rests."""
    return Job.account_id.is_(None) & (Job.created_at > now() - timedelta(seconds=15))


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
