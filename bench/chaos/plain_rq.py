"""The baseline: plain RQ as its documentation has it – an append-only Redis and `rq worker high default low`, twice,
under supervisord – doing the same work."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import psutil
from copies import wait_for
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.job import Job

from app.commands.binaries import redis_binary
from app.commands.lifeline import die_with_parent
from app.config import ROOT
from bench.chaos.plain_rq_job import DATABASE, TABLES, count
from bench.chaos.plan import Task
from bench.chaos.system import Facts, Run, of_workers

LANES = ("high", "default", "low")
CONFIG = """\
[supervisord]
nodaemon=true
pidfile={folder}/supervisord.pid
logfile={folder}/supervisord.log
childlogdir={folder}

[program:redis]
command={redis} {root}/redis.conf --dir {folder} --unixsocket {socket}
priority=1
autorestart=true

[program:worker]
command={python} -m rq.cli worker --serializer json --url unix://{socket} high default low
directory={root}
process_name=%(program_name)s-%(process_num)s
numprocs={workers}
stopsignal=TERM
autostart=true
autorestart=true
"""
PROGRAMS = {"redis": "-server", "worker": "rq.cli worker"}


class PlainRq:
    name = "plain RQ"
    targets: tuple[str, ...] = ("worker", "child", "redis")
    can_be_wiped = False  # its jobs are nowhere else
    failpoints = None
    programs = ()

    def __init__(self, workers: int = 2):
        binary = redis_binary()
        if binary is None:
            raise RuntimeError("no Redis server here: install one, or run `python3 run.py test` once")
        self.folder = Path(tempfile.mkdtemp(prefix=f"accepted-{os.getpid()}-", dir="/tmp"))
        self.socket = self.folder / "redis.sock"
        self.database = self.folder / "effects.db"
        with sqlite3.connect(self.database) as database:
            database.execute("PRAGMA journal_mode=WAL")
            for table in ("starts", "effects"):
                database.execute(f"CREATE TABLE {table} {TABLES}")
        database.close()
        facts = {"folder": self.folder, "redis": binary.path, "root": ROOT, "socket": self.socket}
        config = self.folder / "supervisord.conf"
        config.write_text(CONFIG.format(**facts, python=sys.executable, workers=workers))
        self.client = Redis(unix_socket_path=str(self.socket), socket_timeout=5)
        self.process = self._start(config)

    def _start(self, config: Path) -> subprocess.Popen[bytes]:
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), DATABASE: str(self.database)}
        with (self.folder / "output").open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "-c", str(config)],
                env=env,
                stdout=output,
                stderr=output,
                preexec_fn=die_with_parent,  # noqa: PLW1509  # no thread runs yet
            )

    def __enter__(self) -> Self:
        wait_for(self._is_ready, (self.folder / "output").read_text)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        psutil.Process(self.process.pid).kill()
        self.process.wait()
        for process in self.processes("") + self.processes("redis"):
            process.kill()
        wait_for(lambda: not self.processes(""), lambda: "plain RQ does not end")
        shutil.rmtree(self.folder)

    def _is_ready(self) -> bool:
        try:
            return len(self.client.smembers("rq:workers")) > 0
        except RedisError:
            return False

    def post(self, task: Task) -> str | None:
        lane = LANES[0] if task.kind == "mail" else LANES[2]
        to = 1 if task.kind == "failing" else task.to  # it has no alerts to compare
        try:
            return str(Queue(lane, connection=self.client).enqueue(count, to).id)
        except RedisError:
            return None

    def pid_of(self, process: psutil.Process) -> int:
        return process.pid

    def processes(self, target: str) -> list[psutil.Process]:
        if target in ("worker", "child"):
            return of_workers(self._processes("worker"), target)
        return self._processes(target)

    def _processes(self, program: str) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if self._owns(process, PROGRAMS.get(program, ""))]

    def _owns(self, process: psutil.Process, pattern: str) -> bool:
        try:
            words = " ".join(process.cmdline())
            if process.status() == psutil.STATUS_ZOMBIE or pattern not in words or process.pid == os.getpid():
                return False
            return str(self.folder) in words or process.cwd() == str(self.folder)
        except psutil.Error:
            return False

    def wipe(self) -> None:
        raise NotImplementedError

    def black_out(self) -> None:
        raise NotImplementedError

    def restart(self, program: str) -> None:
        raise NotImplementedError

    def is_settled(self, accepted: set[str]) -> bool:
        return accepted <= set(self._effects())

    def is_told(self) -> bool:
        return True

    def facts(self, accepted: dict[str, Task]) -> Facts:
        effects = self._effects()
        waiting = {job_id for lane in LANES for job_id in Queue(lane, connection=self.client).get_job_ids()}
        ids = accepted.keys() | effects.keys()
        runs = {job_id: Run(self._status(job_id, waiting, effects), effects[job_id]) for job_id in ids}
        return Facts(runs, self._cuts())

    def _status(self, job_id: str, waiting: set[str], effects: Counter[str]) -> str:
        """As RQ's own record has it; a job that `is queued` but stands in no queue will never run."""
        record = Job.exists(job_id, connection=self.client) and Job.fetch(job_id, connection=self.client)
        status = record.get_status().value if record else "gone"
        if status == "finished" or (status == "gone" and effects[job_id]):
            return "succeeded"
        if status == "failed":
            return "parked"  # its code never raises: it failed for its worker's death
        return "lost" if status == "gone" or (status == "queued" and job_id not in waiting) else "pending"

    def _rows(self, statement: str) -> list[Any]:
        with sqlite3.connect(self.database, timeout=30) as database:
            rows = database.execute(statement).fetchall()
        database.close()
        return rows

    def _effects(self) -> Counter[str]:
        return Counter(job_id for (job_id,) in self._rows("SELECT job_id FROM effects"))

    def _cuts(self) -> list[tuple[int, datetime, datetime | None]]:
        """Starts without an effect of the same process, and the job's next start; by the pids of child and worker."""
        starts = self._rows("SELECT job_id, pid, parent, at FROM starts ORDER BY at")
        done = {(job_id, pid) for job_id, pid in self._rows("SELECT job_id, pid FROM effects")}
        found = []
        for job_id, pid, parent, at in starts:
            if (job_id, pid) not in done:
                later = [other for its_id, _, _, other in starts if its_id == job_id and other > at]
                again = datetime.fromtimestamp(later[0], UTC) if later else None
                found += [(number, datetime.fromtimestamp(at, UTC), again) for number in (pid, parent)]
        return found
