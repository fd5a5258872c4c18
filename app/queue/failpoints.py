"""Named moments at which a process may be killed on purpose, for whoever measures what is lost then (bench/chaos).

No setting, since nobody who runs a server may want it: only where `ACCEPTED_FAILPOINTS` names a folder, and a file in
it has the name of the point that is reached, does the process that takes the file away kill itself.
"""

import os
import signal
import sys
from collections.abc import Callable

POINTS = (
    "popped",  # a worker has an id from Redis, and no claim yet
    "claimed",  # the claim is committed, and the worker's parent has not heard of it
    "begun",  # … the parent has; the job's own code comes next
    "returned",  # the job has done its work; its success is not committed
    "finished",  # the end of the attempt is committed; RQ's books on it are open
    "committed",  # a transaction that asked for jobs is committed; Redis was not told
    "due",  # the relay has queued what was due; Redis was not told
    "taken-back",  # a dead worker's job is queued again; Redis was not told
    "fired",  # a due time of the schedule is moved on, and its job made; nothing of it is committed
    "alerted",  # a final failure is reported, and that is not noted
    "given-back",  # a job goes back to its queue as its worker has to stop; that is not committed
    "marked",  # recipients of a campaign are marked as being sent to; nothing was handed over
    "handed-over",  # the mail server took a campaign's message; that is not noted
)
FOLDER = os.environ.get("ACCEPTED_FAILPOINTS", "")


def _pass(_name: str) -> None:
    """What a point is to everybody else."""


def _die_if_armed(name: str) -> None:
    """The file's new name tells who died: of several processes that get here at once, only one can rename it."""
    try:
        os.rename(f"{FOLDER}/{name}", f"{FOLDER}/{name}.{sys.argv[-1]}.{os.getpid()}")
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


reach: Callable[[str], None] = _die_if_armed if FOLDER else _pass
