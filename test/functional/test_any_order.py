"""Hypothesis drives the engine through any order of what people, workers, relays and accidents can do to some jobs, and
holds a small model beside it. Workers that are gone keep their claims and try to use them."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule, run_state_machine_as_test
from redis import Redis
from sqlalchemy import delete, select, update

from app.db import session
from app.models import Job
from app.models.base import now
from app.models.job import DONE, HELD, LANES, WAITING
from app.queue import claims, doorbell, enqueue, hasten, ledger, registry, relay, rescue, runner

LONG_AGO = now().replace(year=2020)


class Engine(RuleBasedStateMachine):
    """By job: the latest claim, how often it succeeded, how many pieces of it were seen done, and which attempts it
    postponed itself in."""

    redis: Redis
    ids = Bundle("ids")
    holds = Bundle("holds")

    def __init__(self) -> None:
        super().__init__()
        self.attempts: dict[str, claims.Claim] = {}
        self.succeeded: dict[str, int] = {}
        self.pieces: dict[str, int] = {}
        self.postponed: set[tuple[str, int]] = set()  # jobs and attempts

    def row(self, job_id: str) -> Job:
        session.expire_all()
        return session.get_one(Job, job_id)

    def pending_with(self, key: str | None) -> str | None:
        pending = select(Job.id).where(Job.unique_key == key, Job.status.in_(WAITING + HELD))
        return session.scalar(pending) if key else None

    def is_current(self, claim: claims.Claim) -> bool:
        row = self.row(claim.id)
        return row.status in HELD and row.attempt == claim.attempt

    # What clients do

    @rule(target=ids, later=st.booleans(), key=st.sampled_from([None, "a", "b"]))
    def enqueue(self, later: bool, key: str | None) -> str:
        pending = self.pending_with(key)
        job = enqueue("examples.count", to=1, unique=key, at=now().replace(year=2999) if later else None)
        assert pending is None or job.id == pending
        job_id = job.id
        session.commit()
        return job_id

    @rule(target=ids)
    def enqueue_batch(self) -> tuple[str, str]:
        job_id = enqueue("examples.count", to=1, after=[("examples.count", {"to": 2})] * 2).id
        session.commit()
        return multiple(job_id, *session.scalars(select(Job.id).where(Job.batch_id == job_id)))

    @rule()
    def enqueue_and_change_ones_mind(self) -> None:
        job_id = enqueue("examples.count", to=1).id
        session.rollback()
        assert session.get(Job, job_id) is None

    @rule(job_id=ids)
    def cancel(self, job_id: str) -> None:
        before = self.row(job_id).status
        after = ledger.request_cancel(job_id)
        session.commit()
        assert after == (None if before in DONE else "canceling" if before in HELD else "canceled")

    @rule(job_id=ids)
    def retry(self, job_id: str) -> None:
        row = self.row(job_id)
        before = row.status
        if self.pending_with(row.unique_key) in (None, job_id):
            may = before in ("failed", "canceled") and row.batch_left == 0
            assert ledger.start_again(job_id) == may
            session.commit()

    # What workers do, those that are gone included

    @rule(target=holds, job_id=ids)
    def claim(self, job_id: str) -> claims.Claim | None:
        row = self.row(job_id)
        waits, attempt = row.status == "queued" and row.run_at <= now(), row.attempt
        claim = claims.claim(job_id, "worker")
        session.commit()
        assert (claim is not None) == waits
        if claim is None:
            return self.attempts.get(job_id)
        assert claim.attempt == attempt + 1
        self.attempts[job_id] = claim
        return claim

    @rule(claim=holds)
    def succeed(self, claim: claims.Claim | None) -> None:
        if claim is not None:
            current = self.is_current(claim)
            outcome = runner.settle(ledger.succeed(claim, 1), runner.Outcome("succeeded"))
            assert outcome.status == ("succeeded" if current else "lost")
            self.succeeded[claim.id] = self.succeeded.get(claim.id, 0) + current

    @rule(claim=holds, completed=st.integers(0, 5), failed=st.integers(0, 5))
    def report_progress(self, claim: claims.Claim | None, completed: int, failed: int) -> None:
        if claim is not None:
            current = self.is_current(claim)
            assert (ledger.progress(claim, None, (completed, failed, 10)) is not None) == current
            session.commit()

    @rule(claim=holds)
    def fall(self, claim: claims.Claim | None) -> None:
        if claim is not None:
            current, canceling = self.is_current(claim), self.row(claim.id).status == "canceling"
            outcome = runner.raised(claim, RuntimeError("fell"))
            last = claim.charged + 1 >= registry.find(claim.type).max_attempts
            expected = "failed" if last else "canceled" if canceling else "retrying"
            assert outcome.status == (expected if current else "lost")

    @rule(claim=holds)
    def give_back(self, claim: claims.Claim | None) -> None:
        if claim is not None:
            current, canceling = self.is_current(claim), self.row(claim.id).status == "canceling"
            assert runner.give_back(claim).status == (("canceled" if canceling else "queued") if current else "lost")

    @rule(claim=holds)
    def postpone(self, claim: claims.Claim | None) -> None:
        if claim is not None:
            current, canceling = self.is_current(claim), self.row(claim.id).status == "canceling"
            postponed = ledger.postpone(claim, now().replace(year=2999))
            session.commit()
            assert postponed == (current and not canceling)
            if postponed:
                self.postponed.add((claim.id, claim.attempt))

    @rule(job_id=ids)
    def hasten(self, job_id: str) -> None:
        row = self.row(job_id)
        may = row.status == "scheduled" and row.batch_left == 0
        assert hasten(job_id) == may
        session.commit()

    @rule(job_id=ids)
    def fall_silent(self, job_id: str) -> None:
        """The worker is killed or paused: its lease runs out, and a relay notices."""
        expired = update(Job).where(Job.id == job_id, Job.status.in_(HELD)).values(lease_expires_at=LONG_AGO)
        session.execute(expired.execution_options(synchronize_session=False))
        session.commit()
        before, crashes = self.row(job_id).status, self.row(job_id).crashes
        rescue.take_back_lost()
        parked = "failed" if crashes + 1 >= ledger.MOST_CRASHES else "queued"
        assert self.row(job_id).status == {"running": parked, "canceling": "canceled"}.get(before, before)

    # What passes by itself

    @rule()
    def let_time_pass(self) -> None:
        for_time = (Job.status.in_(("scheduled", "retrying")), Job.batch_left == 0)
        moved = update(Job).where(*for_time).values(run_at=LONG_AGO)
        session.execute(moved.execution_options(synchronize_session=False))
        session.commit()
        relay.make_due_ready()
        assert session.scalars(select(Job.id).where(*for_time)).first() is None

    @rule()
    def look(self) -> None:
        relay.look()
        ready = set(session.scalars(select(Job.id).where(Job.status == "queued")))
        session.rollback()
        assert ready <= set().union(*(doorbell.waiting_ids(queue) for queue in LANES))

    @rule()
    def wipe(self) -> None:
        self.redis.flushall()

    @invariant()
    def every_job_is_whole(self) -> None:
        session.expire_all()
        for job in session.scalars(select(Job)):
            shown = job.to_dict()
            assert shown["done"] == (job.status in DONE)
            assert (shown["error"] is not None) == (job.status in ("failed", "canceled"))
            assert shown["result"] is None or job.status == "succeeded"
            forgotten = sorted(number for job_id, number in self.postponed if job_id == job.id)[:-1]
            known = [number for number in range(1, job.attempt + 1) if number not in forgotten]
            assert [attempt["number"] for attempt in job.attempts] == known
            assert self.succeeded.get(job.id, 0) == (job.status == "succeeded")
            if job.batch_left:
                open_parts = select(Job.id).where(Job.batch_id == job.id, Job.status.not_in(DONE))
                assert job.status in ("scheduled", "canceled")
                assert len(session.scalars(open_parts).all()) == job.batch_left
            pieces = job.progress_completed + job.progress_failed
            assert self.pieces.get(job.id, 0) <= pieces <= job.progress_total
            self.pieces[job.id] = pieces
        session.rollback()

    def teardown(self) -> None:
        """Whatever happened, everybody's work can still be done."""
        self.let_time_pass()
        held = update(Job).where(Job.status.in_(HELD)).values(lease_expires_at=LONG_AGO)
        session.execute(held.execution_options(synchronize_session=False))
        session.commit()
        for _ in range(2):  # the jobs that waited for batches come after them
            self.redis.flushall()
            relay.look()
            for job_id in set().union(*(doorbell.waiting_ids(queue) for queue in LANES)):
                claim = claims.claim(job_id, "last worker")
                assert claim is not None
                assert ledger.succeed(claim, 1)
            session.commit()
        assert session.scalars(select(Job.id).where(Job.status.not_in(DONE))).first() is None
        session.execute(delete(Job))
        session.commit()


def test_no_order_of_events_leads_astray(app, redis):
    class ThisEngine(Engine):
        pass

    ThisEngine.redis = redis
    run_state_machine_as_test(
        ThisEngine,
        settings=settings(
            max_examples=15,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        ),
    )
