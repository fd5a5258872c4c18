"""Loaded by Python itself in every process of the server under test, by way of PYTHONPATH.

In workers and relay, `examples.count` becomes a job with an effect in the database, so that production code holds none
of this: a row for each run that was committed. A row too many is a doubled effect, a row too few a missing one. It is
also put on the schedule.
"""

import sys


def replace() -> None:
    import dataclasses
    import inspect
    import time

    from sqlalchemy import text

    from app.db import session
    from app.errors import Conflict
    from app.helpers import context
    from app.queue import checkpoint, enqueue, registry
    from app.workers.schedule import SCHEDULE
    from bench.chaos.plan import duration, is_told

    kinds = [type(f"Failure{number}", (Conflict,), {"__doc__": f"Failure {number}."}) for number in range(100)]

    def count(to: int = 0) -> int:
        here = context.get()
        checkpoint(0, 1)
        time.sleep(duration(to))
        if is_told("failing", to):
            raise kinds[to - 900]
        if is_told("flaky", to) and here.attempt == 1:
            raise RuntimeError("flaky")
        follower = enqueue("examples.count", to=0).id if is_told("parent", to) else None
        session.execute(
            text("INSERT INTO chaos_effects (job_id, attempt, follower) VALUES (:job_id, :attempt, :follower)"),
            {"job_id": here.job_id, "attempt": here.attempt, "follower": follower},
        )
        return to

    found = registry.find("examples.count")
    registry._types[found.name] = dataclasses.replace(found, function=count, signature=inspect.signature(count))
    SCHEDULE.append(("* * * * * */2", found.name))  # every other second


if sys.orig_argv[-1] in ("worker", "relay"):
    replace()
