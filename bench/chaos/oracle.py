"""Compares what the client was promised with what the system did. Counts only; the marks are in table.py."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from bench.chaos.injector import Hit
from bench.chaos.load import Answer
from bench.chaos.system import Facts

OUTAGE = timedelta(seconds=2)  # how long a killed or wiped Redis is counted as away
WEB_OUTAGE = timedelta(seconds=4)  # how long a killed web server is counted as away: supervisord starts it anew


@dataclass
class Measures:
    """None where the question makes no sense for the system."""

    asked: int
    accepted: int
    kills: int
    pauses: int
    wipes: int
    lost: int
    missing: int
    doubled: int
    stale: int
    stuck: int
    parked: int
    restarts: int
    never_restarted: int
    restart_p50: float | None
    restart_p99: float | None
    accepted_in_outages: float | None
    failures: int | None
    misreported: int | None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def judge(answers: list[Answer], hits: list[Hit], facts: Facts) -> Measures:
    accepted = {answer.job_id for answer in answers if answer.job_id}
    promised = {job_id: run for job_id, run in facts.runs.items() if job_id in accepted}
    failures, misreported = _reports(facts)
    waits = _restarts(hits, facts)
    came_back = sorted(wait for wait in waits if wait is not None)
    return Measures(
        asked=len(answers),
        accepted=len(accepted),
        kills=_number_of("kill", hits),
        pauses=_number_of("pause", hits),
        wipes=_number_of("wipe", hits),
        lost=sum(run.status == "lost" for run in promised.values()),
        missing=sum(not run.effects and run.status == "succeeded" for run in facts.runs.values()),
        doubled=sum(run.effects > 1 or (run.effects > 0 and run.failing) for run in facts.runs.values()),
        stale=sum(run.stale for run in facts.runs.values()),
        stuck=sum(run.status == "pending" for run in facts.runs.values()),
        parked=sum(run.status == "parked" or (run.status == "failed" and not run.failing) for run in promised.values()),
        restarts=len(came_back),
        never_restarted=len(waits) - len(came_back),
        restart_p50=_percentile(came_back, 0.5),
        restart_p99=_percentile(came_back, 0.99),
        accepted_in_outages=_accepted_in_outages(answers, hits),
        failures=failures,
        misreported=misreported,
    )


def _number_of(action: str, hits: list[Hit]) -> int:
    return sum(hit.strike.action == action for hit in hits)


def _restarts(hits: list[Hit], facts: Facts) -> list[float | None]:
    """Seconds from the kill of each worker that had a job in hand to that job's next start; None: never."""
    killed = {hit.pid: hit.moment for hit in hits if (hit.strike.action, hit.strike.target) == ("kill", "worker")}
    found = []
    for pid, began, again in facts.restarts:
        moment = killed.get(pid)
        if moment is None or began > moment:
            continue
        if again is None or again > moment:  # else it was taken back before: the worker was paused first, then killed
            found.append((again - moment).total_seconds() if again else None)
    return found


def _percentile(values: list[float], share: float) -> float | None:
    return round(values[min(len(values) - 1, int(len(values) * share))], 1) if values else None


def _accepted_in_outages(answers: list[Answer], hits: list[Hit]) -> float | None:
    """The share of requests that were accepted while Redis was away and the web server was not."""

    def during(target: str, length: timedelta) -> list[tuple[datetime, datetime]]:
        struck = [hit for hit in hits if hit.strike.target == target]
        return [(hit.moment, hit.moment + max(length, timedelta(seconds=hit.strike.seconds))) for hit in struck]

    redis, web = during("redis", OUTAGE), during("main", WEB_OUTAGE)

    def within(answer: Answer, spans: list[tuple[datetime, datetime]]) -> bool:
        return any(begin <= answer.sent_at <= end for begin, end in spans)

    asked = [answer for answer in answers if within(answer, redis) and not within(answer, web)]
    return round(sum(answer.job_id is not None for answer in asked) / len(asked), 4) if asked else None


def _reports(facts: Facts) -> tuple[int | None, int | None]:
    """Final failures, and how many of them were not reported exactly once – or alerts of what did not fail."""
    if facts.reports is None:
        return None, None
    failed = {job_id for job_id, run in facts.runs.items() if run.status in ("failed", "parked")}
    wrong = [job_id for job_id in failed | facts.reports.keys() if facts.reports.get(job_id, 0) != (job_id in failed)]
    return len(failed), len(wrong)
