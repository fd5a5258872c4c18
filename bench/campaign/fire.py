"""Strikes while a campaign is sent: which ones is planned, and when each is due, by how far the campaign is. So all of
them hit it, however fast it is."""

import random
import time
from collections.abc import Callable

from bench.campaign.server import Server
from bench.chaos.injector import PATIENCE_SECONDS, Injector
from bench.chaos.plan import Strike

TARGETS = {"worker": 25, "child": 25, "smtp": 20, "redis": 15, "failpoint": 30}  # who is struck how often
LAST = 0.95  # of the campaign: who is killed later may find it done


def plan(seed: str, number: int) -> list[Strike]:
    """In order; `at` is a share of the messages. The same seed gives the same plan."""
    chance = random.Random(f"campaign {seed}")
    targets = chance.choices(list(TARGETS), list(TARGETS.values()), k=number)
    found = [
        Strike(chance.uniform(0, LAST), "failpoint" if target == "failpoint" else "kill", target, chance.random())
        for target in targets
    ]
    return sorted(found, key=lambda strike: strike.at)


class Fire(Injector):
    """`share` is how far the campaign is, from 0 to 1; None: it has ended."""

    def __init__(self, server: Server, strikes: list[Strike], share: Callable[[], float | None]):
        super().__init__(server, strikes)
        self.share = share

    def _run(self) -> None:
        for strike in self.strikes:
            while (share := self.share()) is not None and share < strike.at:
                time.sleep(0.05)
            deadline = time.monotonic() + PATIENCE_SECONDS
            while share is not None and not self._hit(strike) and time.monotonic() < deadline:
                time.sleep(0.05)
