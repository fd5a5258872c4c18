"""The same kind of work for plain RQ: a row in SQLite when it starts, another when it has done its work."""

import os
import sqlite3
import time

from rq import get_current_job

from bench.chaos.plan import duration

DATABASE = "CHAOS_DATABASE"  # the environment variable with the path
TABLES = "(job_id TEXT, pid INTEGER, parent INTEGER, at REAL)"


def count(to: int) -> int:
    job = get_current_job()
    assert job is not None
    _note("starts", job.id)
    time.sleep(duration(to))
    _note("effects", job.id)
    return to


def _note(table: str, job_id: str) -> None:
    with sqlite3.connect(os.environ[DATABASE], timeout=30) as database:
        row = (job_id, os.getpid(), os.getppid(), time.time())
        database.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", row)  # our own two words
    database.close()
