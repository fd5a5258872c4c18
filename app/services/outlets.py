"""Hands a round of messages over to the mail server, each through a connection and by a thread of its own. They know
nothing of the database."""

import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial

from app.helpers import mailer
from app.helpers.mailer import Away, Outlet, Refused, Unsure
from app.queue import failpoints, is_stopping
from app.queue.claims import LEASE_SECONDS
from app.services.recipients import Letter

log = logging.getLogger(__name__)

LAST_WORD_SECONDS = 3.0  # that the mail server has to answer when the worker must go, whose own grace is longer
FRESH_SECONDS = LEASE_SECONDS / 2  # from the mark to the hand-over


class Late(Away):
    """This process stood still with a marked message; others may have it by now. So it was not handed over."""


class Outlets:
    def __init__(self, number: int):
        self.free = [mailer.open_outlet() for _ in range(number)]  # those that no thread uses
        self.pool = ThreadPoolExecutor(number, "outlet")

    def __len__(self) -> int:
        return len(self.free)

    def hand_over(self, letters: list[Letter]) -> Away | None:
        """Each letter, of which there are no more than outlets, gets its outcome. Away, if that is what became of all;
        else the server wants fewer connections than we have, and gets them."""
        outlets, self.free = self.free[: len(letters)], self.free[len(letters) :]  # nobody may close what a thread uses
        tasks = [self.pool.submit(_hand_over, letter, outlet) for letter, outlet in zip(letters, outlets, strict=True)]
        _wait_for(tasks)
        for letter, outlet, task in zip(letters, outlets, tasks, strict=True):
            if task.done():
                letter.outcome = task.result()
            else:
                letter.outcome = Unsure("The worker had to stop before the mail server answered.")
                task.add_done_callback(partial(_close, outlet))
            if task.done() and type(letter.outcome) is not Away:
                self.free.append(outlet)
        away = [letter.outcome for letter in letters if type(letter.outcome) is Away]
        return away[0] if away and len(away) == len(letters) else None

    def close(self) -> None:
        for outlet in self.free:
            outlet.close()
        self.pool.shutdown(wait=False)


def _hand_over(letter: Letter, outlet: Outlet) -> Exception | None:
    """What went wrong, if anything did."""
    if time.monotonic() - letter.clock > FRESH_SECONDS:
        return Late("The worker stood still.")
    try:
        outlet.hand_over(letter.mail)
    except (Refused, Away, Unsure) as error:
        return error
    except Exception as error:
        log.exception("a mail could not be handed over")
        return Unsure(f"Something went wrong inside the server: {type(error).__name__}")
    failpoints.reach("handed-over")
    return None


def _wait_for(tasks: list[Future[Exception | None]]) -> None:
    """Until all are done – or, if this worker has to go, a little while."""
    deadline = None
    left = set(tasks)
    while left and (deadline is None or time.monotonic() < deadline):
        _, left = wait(left, timeout=0.2)
        if deadline is None and is_stopping():
            deadline = time.monotonic() + LAST_WORD_SECONDS


def _close(outlet: Outlet, _task: Future[Exception | None]) -> None:
    """Late, as its thread was waited for no longer."""
    outlet.close()
