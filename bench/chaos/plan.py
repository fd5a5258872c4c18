"""What is done to the servers, and what they are asked to do. The same seed gives the same plan, whatever happens."""

import random
from dataclasses import dataclass

PAST_THE_LEASE = (11.0, 14.0)  # seconds; a lease is good for ten
SHORT = (1.0, 4.0)
KILLED = {"worker": 50, "redis": 20, "main": 15, "relay": 15}  # who is struck how often
PAUSED = {"worker": 70, "redis": 10, "main": 10, "relay": 10}
FAILURES = 12  # kinds of them


@dataclass(frozen=True)
class Strike:
    """At `at` seconds: `kill`, `pause` (for `seconds`) or `wipe`. `pick`, from 0 to 1, chooses among the processes."""

    at: float
    action: str
    target: str
    pick: float
    seconds: float = 0


@dataclass(frozen=True)
class Task:
    """One request: at `at` seconds, a `quick`, `slow` or `failing` job, or the reminder of a task: a `mail`."""

    at: float
    kind: str
    to: int  # what the job is told: how long to take, or how to fail


def strikes(seed: str, seconds: float, kills: int, pauses: int, wipes: int) -> list[Strike]:
    """All of them, in order, from the start of the load to just before its end."""
    chance = random.Random(f"strikes {seed}")
    found = []
    for action, number, targets in (("kill", kills, KILLED), ("pause", pauses, PAUSED), ("wipe", wipes, {"redis": 1})):
        for _ in range(number):
            [target] = chance.choices(list(targets), list(targets.values()))
            span = PAST_THE_LEASE if target == "worker" else SHORT
            pause = chance.uniform(*span) if action == "pause" else 0
            found.append(Strike(chance.uniform(1, max(1, seconds - 1)), action, target, chance.random(), pause))
    return sorted(found, key=lambda strike: strike.at)


def tasks(seed: str, seconds: float, number: int) -> list[Task]:
    """At a constant rate: mostly quick jobs, some slow ones for the strikes to hit, some that fail for good."""
    chance = random.Random(f"tasks {seed}")
    return [_task(chance, index * seconds / number) for index in range(number)]


def _task(chance: random.Random, at: float) -> Task:
    [kind] = chance.choices(["quick", "mail", "failing", "slow"], [87, 10, 2, 1])
    low, high = {"quick": (1, 20), "mail": (1, 1), "failing": (900, 900 + FAILURES - 1), "slow": (800, 899)}[kind]
    return Task(at, kind, chance.randint(low, high))


def duration(to: int) -> float:
    """Seconds that a job takes which was told this number."""
    return 0.5 + (to - 800) / 50 if 800 <= to < 900 else min(to, 20) / 1000
