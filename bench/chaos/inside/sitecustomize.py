"""Loaded by Python itself in every process of the server under test, by way of PYTHONPATH.

In the workers, `examples.count` becomes a job with an effect in the database, so that production code holds nothing of
this: a row for each run that was committed. A row too many is a doubled effect, a row too few a missing one.
"""

import sys


def replace() -> None:
    import dataclasses
    import time

    from sqlalchemy import text

    from app.db import session
    from app.errors import Conflict
    from app.helpers import context
    from app.queue import checkpoint, registry
    from app.workers import examples
    from bench.chaos.plan import duration

    kinds = [type(f"Failure{number}", (Conflict,), {"__doc__": f"Failure {number}."}) for number in range(100)]

    def count(to: int) -> int:
        checkpoint(0, 1)
        time.sleep(duration(to))
        if to >= 900:
            raise kinds[to - 900]
        here = context.get()
        session.execute(
            text("INSERT INTO chaos_effects (job_id, attempt) VALUES (:job_id, :attempt)"),
            {"job_id": here.job_id, "attempt": here.attempt},
        )
        return to

    assert examples
    registry._types["examples.count"] = dataclasses.replace(registry.find("examples.count"), function=count)


if sys.orig_argv[-1] == "worker":
    replace()
