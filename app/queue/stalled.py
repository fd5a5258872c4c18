"""SQLite has one lock for all writers. A worker that was stopped (SIGSTOP, say) in the middle of a commit holds it, and
nobody could write until it goes on: so it is killed, and its job begins again elsewhere, as after any death.

PostgreSQL locks rows only, and others pass those by.
"""

import logging
from pathlib import Path

import psutil

from app.db import session

log = logging.getLogger(__name__)

LOCKS = Path("/proc/locks")  # Linux; elsewhere the one that was stopped is waited for
WRITE_LOCK = "120"  # the byte of the -shm file that writers lock: https://sqlite.org/walformat.html#wal_locks


def free_lock() -> None:
    """Kills the worker that stands still with the lock, if there is one."""
    try:
        holder = _stopped_holder()
        if holder is not None:
            log.error("process %d stands still and holds the database's lock: it is killed", holder.pid)
            holder.kill()
    except (OSError, psutil.Error) as error:  # it is gone, or not ours
        log.debug("nobody was killed: %s", error)


def _stopped_holder() -> psutil.Process | None:
    """The worker that stands still with SQLite's lock for writers, if there is one."""
    database = session.get_bind().engine.url
    if database.get_backend_name() != "sqlite" or not LOCKS.exists():
        return None
    inode = Path(f"{database.database}-shm").stat().st_ino
    for line in LOCKS.read_text().splitlines():
        _, *waits, _, _, mode, pid, place, start, _ = line.split()
        if not waits and (mode, place.rpartition(":")[2], start) == ("WRITE", str(inode), WRITE_LOCK):
            holder = psutil.Process(int(pid))
            is_stopped = holder.status() == psutil.STATUS_STOPPED
            return holder if is_stopped and holder.cmdline() == psutil.Process().cmdline() else None
    return None
