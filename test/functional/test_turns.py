"""Whose turn it is: nobody waits behind somebody else's backlog, and limits hold."""

import threading

import pytest
from rq import Queue
from sqlalchemy import insert, select, text, update

from app.db import session
from app.models import Job
from app.models.base import now
from app.models.job import HELD
from app.queue import checkpoint, claims, client, doorbell, enqueue, job, ledger, relay, turns

calls: list = []


@pytest.fixture(autouse=True)
def fresh():
    calls.clear()
    turns._last.clear()


@job()
def plain(name: str) -> None:
    calls.append(name)


@job(at_once=2, per="host")
def deliver(host: str, number: int) -> None:
    running = session.scalars(select(Job.id).where(Job.status.in_(HELD), Job.type == "test_turns.deliver")).all()
    calls.append((host, number, len(running)))


@job(at_once=1)
def one_by_one() -> None: ...


def ask(person, kind: str, /, **args) -> str:
    """As this person, or as nobody."""
    found = enqueue(f"test_turns.{kind}", **args)
    if person is not None and found.at_once is None:
        found.account_id, found.share = person.id, str(person.id)
    session.commit()
    return found.id


def pile_up(person, number: int) -> None:
    """A backlog that Redis has not heard of."""
    kind = turns.share_of(client.registry.find("test_turns.plain"), {}, person.id)
    fixed = {"type": "test_turns.plain", "args": {"name": "old"}, "run_at": now(), "account_id": person.id, **kind}
    session.execute(insert(Job), [{"id": client.new_id(), **fixed} for _ in range(number)])
    session.commit()


def line() -> list[str]:
    relay.look()
    return doorbell.waiting_ids("default")


def test_first_job_of_an_account_stands_behind_nobodys_backlog(alice, bob):
    pile_up(alice, 1500)
    relay.look()
    job_id = ask(bob, "plain", name="bob's")
    assert line().index(job_id) <= 1
    assert len(doorbell.waiting_ids("default")) <= doorbell.WINDOW + 1


def test_first_job_need_not_wait_for_the_relay(alice, bob, client):
    pile_up(alice, 20)
    relay.look()
    ask(alice, "plain", name="alice's")
    answer = bob.post("/api/v1/tasks", json={"text": "x", "due_at": "2026-01-01T00:00:00Z"})
    other = doorbell.waiting_ids("high")
    assert other == [answer.json["reminder_job_id"]]
    # The same queue: the relay and the process that pushed last know of the backlog.
    quick = enqueue("test_turns.plain", name="bob's")
    session.commit()
    assert doorbell.waiting_ids("default")[0] == quick.id


def test_two_backlogs_take_turns(alice, bob, work):
    pile_up(alice, 6)
    late = [ask(bob, "plain", name="bob's") for _ in range(6)]
    work()
    assert len(calls) == 12
    assert set(calls[:4]) == {"old", "bob's"}
    assert calls.index("bob's") <= 1
    assert len(late) == 6


def test_many_accounts_all_have_their_turn(alice, app):
    shares = [str(number) for number in range(turns.MOST_SHARES + 50)]
    fixed = {"type": "test_turns.plain", "queue": "default", "args": {"name": "x"}, "run_at": now()}
    session.execute(insert(Job), [{"id": client_id(), "share": share, **fixed} for share in shares])
    session.commit()
    seen: set[str] = set()
    for _ in range(2):
        ids = turns.next_in_line("default", doorbell.WINDOW)
        seen |= set(session.scalars(select(Job.share).where(Job.id.in_(ids))))
    assert seen == set(shares)


def client_id() -> str:
    return client.new_id()


def test_cost_does_not_grow_with_the_backlog(alice, bob, queries):
    counts = []
    for _ in range(2):
        pile_up(alice, 300)
        pile_up(bob, 300)
        queries.clear()
        turns.next_in_line("default", 100)
        counts.append(len(queries))
        session.rollback()
    assert counts == [2, 2]


def test_shares_are_found_by_the_index(alice):
    if session.get_bind().dialect.name == "postgresql":
        pile_up(alice, 2000)
        session.execute(text("ANALYZE jobs"))
    for sql, more in ((turns.SHARES.text, {"last": "", "most": 5}), (turns.HEADS[session.get_bind().dialect.name], {})):
        named = {"queue": "default", **more} | ({} if more else {"shares": '["1"]', "moment": now(), "each": 3})
        explain = "EXPLAIN QUERY PLAN " if session.get_bind().dialect.name == "sqlite" else "EXPLAIN "
        statement = text(explain + sql)
        plan = " ".join(str(row) for row in session.execute(statement, named))
        assert "ix_jobs_ready" in plan, plan
    session.rollback()


def test_no_more_run_at_once_than_may(alice, work):
    for number in range(5):
        ask(None, "deliver", host="a", number=number)
        ask(None, "deliver", host="b", number=number)
    ids = {host: waiting(host) for host in ("a", "b")}
    held = [claims.claim(job_id, "elsewhere") for job_id in ids["a"][:2]]
    session.commit()
    assert all(held)
    assert claims.claim(ids["a"][2], "third") is None
    session.commit()
    work()
    assert {host for host, _, _ in calls} == {"b"}  # both places of "a" are taken
    calls.clear()
    assert ledger.give_back(held[0], "done with it")
    session.commit()
    work()
    assert [number for _, number, _ in calls] == [0, 2, 3, 4]  # and 1 is still running elsewhere
    assert max(running for _, _, running in calls) == 2


def waiting(host: str) -> list[str]:
    rows = session.execute(select(Job.id, Job.args).where(Job.status == "queued").order_by(Job.run_at, Job.id))
    return [job_id for job_id, args in rows if args.get("host") == host]


def test_two_workers_that_ask_at_once_do_not_both_get_the_last_place(app, settings):
    ids = [ask(None, "one_by_one") for _ in range(8)]
    session.remove()
    gate, won = threading.Barrier(len(ids)), []

    def take(job_id: str) -> None:
        with app.app_context():
            gate.wait()
            try:
                won.append(claims.claim(job_id, f"worker of {job_id}"))
                session.commit()
            finally:
                session.remove()

    threads = [threading.Thread(target=take, args=(job_id,)) for job_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([claim for claim in won if claim]) == 1


def test_saturated_limit_leaves_room_in_the_window(alice):
    held = ask(None, "one_by_one")
    for _ in range(10):
        ask(None, "one_by_one")
    assert claims.claim(held, "worker")
    session.execute(update(Job).where(Job.id == held).values(worker="worker"))
    session.commit()
    free = ask(alice, "plain", name="x")
    assert turns.next_in_line("default", doorbell.WINDOW) == [free]


@pytest.mark.parametrize(
    "options", [{"at_once": 0}, {"per": "host"}, {"at_once": 1, "per": "nothing"}, {"at_once": -1}]
)
def test_bad_limit_is_refused_at_start_up(options):
    with pytest.raises(ValueError, match="at_once"):

        @job(**options)
        def bad(host: str) -> None:
            checkpoint()


def test_long_values_make_short_shares():
    kind = client.registry.find("test_turns.deliver")
    long = turns.share_of(kind, {"host": "x" * 1000, "number": 1}, None)["share"]
    assert len(long) <= turns.LONGEST_SHARE
    assert long != turns.share_of(kind, {"host": "x" * 1001, "number": 1}, None)["share"]
    assert turns.share_of(kind, {"host": "a", "number": 1}, None) == turns.share_of(kind, {"host": "a", "number": 2}, 7)


def test_reordering_neither_doubles_nor_loses(app, redis):
    key = Queue("default", connection=redis).key
    redis.rpush(key, *"abcbd")
    doorbell.reorder("default", list("dxa"))
    assert [found.decode() for found in redis.lrange(key, 0, -1)] == list("dabc")
