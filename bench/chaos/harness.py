"""One run: load and strikes at the same time, then the drain, then the oracle."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.chaos import plan
from bench.chaos.injector import Injector
from bench.chaos.load import Load
from bench.chaos.oracle import Measures, judge
from bench.chaos.system import Facts, System

Progress = Callable[[str], None]
DRAIN_SECONDS = 60  # from the last strike; what is not done by then is stuck


def put_under_fire(
    system: System,
    tasks: list[plan.Task],
    strikes: list[plan.Strike],
    progress: Progress = lambda _: None,
    log: Path | None = None,
) -> Measures:
    load, injector = Load(system, tasks), Injector(system, strikes)

    def say(phase: str) -> None:
        counts = f"{len(load.answers)} asked, {len(load.accepted)} accepted, {len(injector.hits)} strikes"
        progress(f"{system.name}: {phase}: {counts}")

    load.start()
    injector.start()
    while load.is_busy or injector.is_busy:
        say("fire")
        time.sleep(0.5)
    injector.join()
    load.join()
    deadline = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < deadline and not system.is_settled(set(load.accepted)):
        say("drain")
        time.sleep(0.5)
    say("done")
    facts = system.facts(load.accepted)
    if log is not None:
        write_log(log, load, injector, facts)
    return judge(load.answers, injector.hits, facts)


def write_log(log: Path, load: Load, injector: Injector, facts: Facts) -> None:
    """Everything that the measures are made of, a line of JSON for each, for whoever wants to know why."""
    lines: list[dict[str, Any]] = [
        *({"answer": asdict(answer)} for answer in load.answers),
        *({"hit": asdict(hit)} for hit in injector.hits),
        *({"restart": cut} for cut in facts.restarts),
        *({"run": {"id": job_id, **asdict(run)}} for job_id, run in facts.runs.items()),
    ]
    log.write_text("".join(json.dumps(line, default=str) + "\n" for line in lines))
