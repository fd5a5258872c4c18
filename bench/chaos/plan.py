"""What is done to the servers, and what they are asked to do. The same seed gives the same plan, whatever happens."""

import random
from dataclasses import dataclass

PAST_THE_LEASE = (9.0, 11.0)  # seconds; a lease is good for eight
SHORT = (1.0, 4.0)
TARGETS = {  # of each kind of strike, who is struck how often; a worker is a parent and the child that works
    "kill": {"worker": 25, "child": 25, "redis": 20, "main": 15, "relay": 15},
    "pause": {"worker": 60, "child": 10, "redis": 10, "main": 10, "relay": 10},
    "wipe": {"redis": 1},
    "failpoint": {"failpoint": 1},
    "blackout": {"supervisord": 1},
}
KINDS = {  # of jobs: how many in a thousand, and the numbers from which to which they are told
    "quick": (780, 1, 20),
    "mail": (100, 1, 1),  # the reminder of a task
    "parent": (60, 100, 120),  # asks for another job, which is told 0
    "failing": (30, 900, 911),  # for good, in twelve ways
    "flaky": (20, 700, 720),  # raises at first
    "slow": (9, 800, 899),
    "long": (1, 600, 600),  # longer than a worker's grace period
}


@dataclass(frozen=True)
class Strike:
    """At `at` seconds, one of TARGETS' kinds; a pause lasts `seconds`. `pick`, from 0 to 1, chooses among several."""

    at: float
    action: str
    target: str
    pick: float
    seconds: float = 0


@dataclass(frozen=True)
class Task:
    """One request, at `at` seconds, for a job of this kind."""

    at: float
    kind: str
    to: int  # what the job is told: how long to take, or how to fail


def strikes(seed: str, seconds: float, **numbers: int) -> list[Strike]:
    """So many of each kind, in order, from the start of the load to just before its end."""
    chance = random.Random(f"strikes {seed}")
    found = []
    for action, targets in TARGETS.items():
        for _ in range(numbers.get(action, 0)):
            [target] = chance.choices(list(targets), list(targets.values()))
            span = PAST_THE_LEASE if target == "worker" else SHORT
            pause = chance.uniform(*span) if action == "pause" else 0
            found.append(Strike(chance.uniform(1, max(1, seconds - 1)), action, target, chance.random(), pause))
    return sorted(found, key=lambda strike: strike.at)


def tasks(seed: str, seconds: float, number: int) -> list[Task]:
    """At a constant rate: mostly quick jobs, some slow ones for the strikes to hit, some that fail for good."""
    chance = random.Random(f"tasks {seed}")
    shares = [share for share, _, _ in KINDS.values()]
    found = []
    for index in range(number):
        [kind] = chance.choices(list(KINDS), shares)
        _, low, high = KINDS[kind]
        found.append(Task(index * seconds / number, kind, chance.randint(low, high)))
    return found


def is_told(kind: str, to: int) -> bool:
    """Whether a job that is told this number is of that kind."""
    _, low, high = KINDS[kind]
    return low <= to <= high


def duration(to: int) -> float:
    """Seconds that a job takes which was told this number."""
    if is_told("slow", to):
        return 0.5 + (to - 800) / 50
    return 7.0 if is_told("long", to) else min(to % 100, 20) / 1000
