"""Asks for a preview again and again and is interrupted each time: `python interrupted.py FILE`. Most of all while it
starts the process, as the standard library has moments there in which it loses one. Ends when none is left."""

import signal
import sys
from pathlib import Path

import psutil
from copies import wait_for

from app.helpers import previews

ENDED = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


class Interruption(BaseException):
    """As the queue ends a job that has to go."""


def interrupt(*_: object) -> None:
    raise Interruption


def alive() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if child.status() not in ENDED]


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, interrupt)
    for step in range(60):
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.0005 * (step + 1))
            previews.make(Path(sys.argv[1]), "application/pdf")
        except Interruption:
            pass
    wait_for(lambda: not alive(), lambda: str(alive()), seconds=15)  # the file would keep each for 20
    print("none is left")
