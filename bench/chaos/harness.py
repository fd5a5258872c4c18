"""One run: load and strikes at the same time, the drain, rolling restarts under the same load, and the oracle."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from bench.chaos import plan
from bench.chaos.injector import Injector, deaths
from bench.chaos.load import Answer, Load
from bench.chaos.oracle import Measures, judge
from bench.chaos.system import Facts, System

Progress = Callable[[str], None]
DRAIN_SECONDS = 60  # from the last strike; what is not done by then is stuck
ALERT_SECONDS = 90
RESTART_SECONDS = 15  # what a restart may take at most on average


def put_under_fire(
    system: System,
    tasks: list[plan.Task],
    strikes: list[plan.Strike],
    restarts: int = 0,
    progress: Progress = lambda _: None,
    log: Path | None = None,
) -> Measures:
    load, injector = Load(system, tasks), Injector(system, strikes)
    load.start()
    injector.start()
    while load.is_busy or injector.is_busy:
        progress(f"{system.name}: {len(load.answers)} asked, {len(injector.hits) + len(deaths(system))} hit")
        time.sleep(0.5)
    injector.join()
    load.join()
    accepted = load.accepted
    rolling: list[Answer] = []
    done = 0
    if drain(system, set(accepted), progress) and restarts and system.programs:
        done, rolling = restart_in_turn(system, tasks, restarts, progress)
        accepted |= {answer.job_id: answer.task for answer in rolling if answer.job_id}
        drain(system, set(accepted), progress)
    hits = injector.hits + deaths(system)
    facts = system.facts(accepted)
    if log is not None:
        write_log(log, load.answers + rolling, hits, facts)
    return judge(load.answers, hits, facts, done, rolling)


def drain(system: System, accepted: set[str], progress: Progress) -> bool:
    """Waits until everything is done, but not for ever; then False, and what is stuck is left as it is. Alerts of a
    storm come later than its jobs' ends."""
    done = wait_for(lambda: system.is_settled(accepted), DRAIN_SECONDS, lambda: progress(f"{system.name}: drains"))
    return done and wait_for(system.is_told, ALERT_SECONDS, lambda: progress(f"{system.name}: alerts"))


def wait_for(is_so: Callable[[], bool], seconds: float, progress: Callable[[], None]) -> bool:
    deadline = time.monotonic() + seconds
    while not is_so() and time.monotonic() < deadline:
        progress()
        time.sleep(0.5)
    return is_so()


def restart_in_turn(
    system: System, tasks: list[plan.Task], number: int, progress: Progress
) -> tuple[int, list[Answer]]:
    """So many restarts, one after the other, under the load of these tasks. A job that is given back when its worker
    has to stop may cost that worker's life, too."""
    seconds = tasks[-1].at * len(tasks) / (len(tasks) - 1)
    rounds = int(number * RESTART_SECONDS / seconds) + 1
    endless = [plan.Task(task.at + turn * seconds, task.kind, task.to) for turn in range(rounds) for task in tasks]
    load = Load(system, endless)
    load.start()
    for count, program in enumerate(islice(cycle(system.programs), number)):
        progress(f"{system.name}: {count} restarts, {len(load.answers)} asked")
        if system.failpoints is not None:
            system.failpoints.arm("given-back")
        system.restart(program)
    load.stop()
    load.join()
    if system.failpoints is not None:
        system.failpoints.disarm()
    return number, load.answers


def write_log(log: Path, answers: list[Answer], hits: list[Any], facts: Facts) -> None:
    """Everything that the measures are made of, a line of JSON for each, for whoever wants to know why."""
    with log.open("w") as file:
        for kind, found in (("answer", answers), ("hit", hits)):
            file.writelines(json.dumps({kind: asdict(one)}, default=str) + "\n" for one in found)
        file.writelines(json.dumps({"alert": one}, default=str) + "\n" for one in facts.alerts)
        file.writelines(json.dumps({"restart": cut}, default=str) + "\n" for cut in facts.restarts)
        file.writelines(json.dumps({"run": {"id": name, **asdict(run)}}) + "\n" for name, run in facts.runs.items())
