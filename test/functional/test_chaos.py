"""Some seconds of bench/chaos: the real stack, killed, paused and wiped under load. In CI it is a minute with start and
drain; by hand it runs for hours."""

from datetime import timedelta

import pytest
from effort import IN_CI

from app.models.base import now
from app.queue import failpoints
from bench.chaos import plan, table
from bench.chaos.accepted import Accepted
from bench.chaos.harness import put_under_fire
from bench.chaos.injector import Hit
from bench.chaos.load import Answer
from bench.chaos.oracle import Measures, judge
from bench.chaos.system import Facts, Run

SEED = "ember"  # its pause of a worker begins early: the longest of all strikes
SECONDS = 40 if IN_CI else 5
POINTS = tuple(one for one in failpoints.POINTS if one != "alerted")  # the relay reports again after half a minute


def test_nothing_is_lost_doubled_or_stuck_under_fire() -> None:
    strikes = plan.strikes(
        SEED, SECONDS, kill=4 + SECONDS // 2, failpoint=6 + SECONDS // 3, pause=1 + SECONDS // 10, wipe=2
    )
    with Accepted(points=POINTS) as accepted:
        measures = put_under_fire(accepted, plan.tasks(SEED, SECONDS, 15 * SECONDS), strikes)
        said = accepted.copy.logs()
    assert sum(measures.killed.values()) >= 4, said
    assert measures.failpoints, said
    assert measures.accepted >= 4 * SECONDS, said
    wrong = ("lost", "missing", "doubled", "stale", "stuck", "misreported", "mails_missing")
    assert {name: getattr(measures, name) for name in wrong} == dict.fromkeys(wrong, 0), f"{measures}\n{said}"


def test_same_seed_gives_the_same_plan() -> None:
    assert plan.strikes("a", 60, kill=20, pause=3) == plan.strikes("a", 60, kill=20, pause=3)
    assert plan.strikes("a", 60, kill=20) != plan.strikes("b", 60, kill=20)
    assert plan.tasks("a", 60, 50) == plan.tasks("a", 60, 50) != plan.tasks("b", 60, 50)


@pytest.mark.parametrize(
    ("run", "reports", "measure"),
    [
        (Run("lost"), {}, "lost"),
        (Run("pending"), {}, "stuck"),
        (Run("succeeded", 0), {}, "missing"),
        (Run("succeeded", 2), {}, "doubled"),
        (Run("failed", 1, failing=900), {"7": 1}, "doubled"),
        (Run("succeeded", 1, stale=1), {}, "stale"),
        (Run("succeeded", is_mail=True), {}, "mails_missing"),
        (Run("failed", failing=900), {}, "misreported"),
        (Run("failed", failing=900), {"7": 2}, "misreported"),
        (Run("succeeded", 1), {"7": 1}, "misreported"),
    ],
)
def test_oracle_sees_what_is_wrong(run: Run, reports: dict[str, int], measure: str) -> None:
    measures = judged(run, reports)
    assert getattr(measures, measure) == 1
    assert len(table.missed(measures)) == 1


def test_oracle_finds_nothing_where_nothing_is_wrong() -> None:
    assert table.missed(judged(Run("succeeded", 1), {})) == []
    assert table.missed(judged(Run("failed", failing=900), {"7": 1})) == []


def judged(run: Run, reports: dict[str, int]) -> Measures:
    answer = Answer(plan.Task(0, "quick", 1), now(), "7")
    return judge([answer], [], Facts(runs={"7": run}, reports=reports))


def test_jobs_of_jobs_are_promised_too() -> None:
    assert judge([], [], Facts(runs={"8": Run("lost")}, followers={"8"})).lost == 1
    assert judge([], [], Facts(runs={"8": Run("succeeded", 1)}, orphans=1)).doubled == 1


def test_rolling_restarts_are_judged_by_themselves() -> None:
    refused, lost = (Answer(plan.Task(0, "quick", 1), now(), job_id) for job_id in (None, "7"))
    measures = judge([], [], Facts(runs={"7": Run("lost")}), restarts=3, rolling=[refused, lost])
    assert (measures.rolling, measures.rolling_errors, measures.rolling_lost, measures.rolling_doubled) == (3, 1, 1, 0)
    assert (measures.asked, measures.lost) == (0, 1)


def test_restart_before_the_kill_is_none_of_its_doing() -> None:
    hit = Hit(plan.Strike(0, "kill", "worker", 0), now(), 4711)
    facts = Facts(restarts=[(4711, hit.moment - timedelta(seconds=9), hit.moment - timedelta(seconds=1))])
    measures = judge([], [hit], facts)
    assert (measures.restarts, measures.never_restarted) == (0, 0)


@pytest.mark.parametrize(("seconds", "met"), [(14, True), (16, False)])
def test_late_restart_misses_its_mark(seconds: int, met: bool) -> None:
    moment = now()
    before = Hit(plan.Strike(0, "kill", "worker", 0), moment - timedelta(hours=1), 4711)  # by chance the same number
    hit = Hit(plan.Strike(0, "failpoint", "begun", 0), moment, 4711, "worker")
    facts = Facts(restarts=[(4711, hit.moment - timedelta(seconds=1), hit.moment + timedelta(seconds=seconds))])
    assert (table.missed(judge([], [before, hit], facts)) == []) is met


def test_paused_workers_lost_their_jobs_if_others_began_them_meanwhile() -> None:
    hit = Hit(plan.Strike(0, "pause", "worker", 0, 12), now(), 4711)
    cuts = [(4711, hit.moment - timedelta(seconds=1), hit.moment + timedelta(seconds=after)) for after in (11, 13)]
    assert judge([], [hit], Facts(restarts=cuts)).fenced == 1


def test_outages_of_redis_count_while_the_web_server_is_there() -> None:
    moment = now()
    struck = [("redis", 0), ("redis", 2), ("redis", 11), ("main", 10)]
    hits = [Hit(plan.Strike(0, "kill", target, 0), moment + timedelta(seconds=at)) for target, at in struck]
    sent = {-1: None, 1: "a", 3: "b", 12: None, 30: None}  # the client has the ids of two
    answers = [Answer(plan.Task(0, "quick", 1), moment + timedelta(seconds=at), job_id) for at, job_id in sent.items()]
    facts = Facts(runs={answer.job_id: Run("succeeded", 1) for answer in answers if answer.job_id})
    measures = judge(answers, hits, facts)
    assert measures.accepted_in_outages == 1
    assert measures.accepted == 2
