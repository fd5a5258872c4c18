"""Compares what the client was promised with what the system did. Counts only; the marks are in table.py."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from bench.chaos.injector import Hit
from bench.chaos.load import Answer
from bench.chaos.system import Facts, Run

OUTAGE = timedelta(seconds=2)  # how long a killed or wiped Redis is counted as away
WEB_OUTAGE = timedelta(seconds=4)  # how long a killed web server is counted as away: supervisord starts it anew
BLACKOUT = timedelta(seconds=15)


@dataclass
class Measures:
    """None where the question makes no sense for the system."""

    asked: int
    accepted: int
    statuses: dict[int, int]  # 0: no answer
    killed: dict[str, int]  # by target
    failpoints: dict[str, int]  # by name and program
    pauses: int
    past_the_lease: int  # of these
    wipes: int
    lost: int
    missing: int
    doubled: int
    stale: int
    stuck: int
    parked: int
    fenced: int
    restarts: int
    never_restarted: int
    restart_p50: float | None
    restart_p99: float | None
    accepted_in_outages: float | None
    mails: int | None
    mails_missing: int
    mails_repeated: int
    failures: int | None
    failure_kinds: int
    fewest_of_a_kind: int
    misreported: int | None
    reports_repeated: int
    rolling: int | None
    rolling_errors: int
    rolling_lost: int
    rolling_doubled: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def judge(
    answers: list[Answer], hits: list[Hit], facts: Facts, restarts: int = 0, rolling: Iterable[Answer] = ()
) -> Measures:
    """`rolling` are the answers during so many restarts, after the strikes."""
    accepted, later = _ids(answers), _ids(rolling)
    runs = facts.runs
    promised = [runs[job_id] for job_id in accepted | later | facts.followers]
    ways = Counter(run.failing for run in runs.values() if run.failing and run.status == "failed")
    waits = _restarts(hits, facts)
    came_back = sorted(wait for wait in waits if wait is not None)
    failures, misreported = _reports(facts)
    return Measures(
        asked=len(answers),
        accepted=len(accepted),
        statuses=facts.statuses,
        killed=Counter(hit.strike.target for hit in hits if hit.strike.action in ("kill", "blackout")),
        failpoints=Counter(f"{hit.strike.target} ({hit.program})" for hit in hits if hit.strike.action == "failpoint"),
        pauses=sum(hit.strike.action == "pause" for hit in hits),
        past_the_lease=sum(hit.strike.action == "pause" and hit.strike.target == "worker" for hit in hits),
        wipes=sum(hit.strike.action == "wipe" for hit in hits),
        lost=sum(run.status == "lost" for run in promised),
        missing=sum(_lacks_effect(run) and not run.is_mail for run in runs.values()),
        doubled=sum(_is_doubled(run) for run in runs.values()) + facts.orphans,
        stale=sum(run.stale for run in runs.values()),
        stuck=sum(run.status == "pending" for run in runs.values()),
        parked=sum(run.status == "parked" or (run.status == "failed" and not run.failing) for run in promised),
        fenced=_fenced(hits, facts),
        restarts=len(came_back),
        never_restarted=len(waits) - len(came_back),
        restart_p50=_percentile(came_back, 0.5),
        restart_p99=_percentile(came_back, 0.99),
        accepted_in_outages=_accepted_in_outages(answers, hits),
        mails=facts.mails,
        mails_missing=sum(_lacks_effect(run) and run.is_mail for run in runs.values()),
        mails_repeated=facts.mail_repeats,
        failures=failures,
        failure_kinds=len(ways),
        fewest_of_a_kind=min(ways.values(), default=0),
        misreported=misreported,
        reports_repeated=facts.repeats,
        rolling=restarts or None,
        rolling_errors=sum(answer.job_id is None for answer in rolling),
        rolling_lost=sum(runs[job_id].status == "lost" for job_id in later),
        rolling_doubled=sum(_is_doubled(runs[job_id]) for job_id in later),
    )


def _ids(answers: Iterable[Answer]) -> set[str]:
    return {answer.job_id for answer in answers if answer.job_id}


def _lacks_effect(run: Run) -> bool:
    return run.status == "succeeded" and not run.effects


def _is_doubled(run: Run) -> bool:
    return run.effects > 1 or (run.effects > 0 and bool(run.failing))


def _restarts(hits: list[Hit], facts: Facts) -> list[float | None]:
    """Seconds from the kill of each worker that had a job in hand to that job's next start; None: never."""
    found = []
    for (_, again), hit in _cuts_by(hits, facts, ("kill", "failpoint")):
        if again is None or again > hit.moment:  # else it was taken back before: the worker was paused, then killed
            found.append((again - hit.moment).total_seconds() if again else None)
    return found


def _fenced(hits: list[Hit], facts: Facts) -> int:
    """Attempts that were another worker's before their own, paused, woke up."""
    paused = _cuts_by(hits, facts, ("pause",))
    return sum(
        again is not None and hit.moment < again <= hit.moment + timedelta(seconds=hit.strike.seconds)
        for (_, again), hit in paused
    )


def _cuts_by(
    hits: list[Hit], facts: Facts, actions: tuple[str, ...]
) -> list[tuple[tuple[datetime, datetime | None], Hit]]:
    """Attempts that were cut off, each with the first such hit at its worker since it began. Numbers come again."""
    by_pid: dict[int, list[Hit]] = {}
    for hit in sorted(hits, key=lambda hit: hit.moment):
        if hit.strike.action in actions and hit.pid:
            by_pid.setdefault(hit.pid, []).append(hit)
    found = []
    for pid, began, again in facts.restarts:
        since = [hit for hit in by_pid.get(pid, ()) if hit.moment >= began]
        if since:
            found.append(((began, again), since[0]))
    return found


def _percentile(values: list[float], share: float) -> float | None:
    return round(values[min(len(values) - 1, int(len(values) * share))], 1) if values else None


def _accepted_in_outages(answers: list[Answer], hits: list[Hit]) -> float | None:
    """The share of requests that were accepted while Redis was away and the web server was not."""
    redis = Spans((hit, OUTAGE) for hit in hits if hit.strike.target == "redis")
    web = Spans(
        (hit, BLACKOUT if hit.strike.target == "supervisord" else WEB_OUTAGE)
        for hit in hits
        if hit.strike.target in ("main", "supervisord") or hit.program == "web"
    )
    asked = [answer for answer in answers if answer.sent_at in redis and answer.sent_at not in web]
    return round(sum(answer.job_id is not None for answer in asked) / len(asked), 4) if asked else None


class Spans:
    """Stretches of time, each from a hit, as long as it is or at least as long as given."""

    def __init__(self, hits: Iterable[tuple[Hit, timedelta]]):
        self.begins: list[datetime] = []
        self.ends: list[datetime] = []
        for hit, length in sorted(hits, key=lambda item: item[0].moment):
            end = hit.moment + max(length, timedelta(seconds=hit.strike.seconds))
            if self.ends and hit.moment <= self.ends[-1]:
                self.ends[-1] = max(end, self.ends[-1])
            else:
                self.begins.append(hit.moment)
                self.ends.append(end)

    def __contains__(self, moment: datetime) -> bool:
        index = bisect_right(self.begins, moment) - 1
        return index >= 0 and moment <= self.ends[index]


def _reports(facts: Facts) -> tuple[int | None, int | None]:
    """Final failures, and how many of them were not reported exactly once – or alerts of what did not fail."""
    if facts.reports is None:
        return None, None
    failed = {job_id for job_id, run in facts.runs.items() if run.status in ("failed", "parked")}
    wrong = [job_id for job_id in facts.reports if facts.reports[job_id] != (job_id in failed)]
    return len(failed), len(wrong) + abs(len(failed - facts.reports.keys()) - facts.counted)
