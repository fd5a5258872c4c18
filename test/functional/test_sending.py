"""Campaigns on their way: what becomes of each recipient, whatever the mail server says and people do meanwhile."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import launches
import pytest
from copies import wait_for
from launches import campaign_of, due_now, job_of, rows_of, states_of
from post_office import DROP, PostOffice
from sqlalchemy import select, update

from app import config
from app.db import session
from app.helpers import mailer
from app.helpers.storage import storage
from app.models import Campaign, Event, File, Guest, Job, Recipient, Unsubscription, User
from app.models.base import now
from app.models.job import NEVER
from app.queue import attempt, claims, enqueue, hasten, ledger
from app.services import jobs, outlets, sending

LATER, NEVER_EVER, CLOSING = "450 later", "550 no such user", "421 closing"
FIRST = "RCPT guest0@example.com"


@pytest.fixture
def office() -> Iterator[PostOffice]:
    with PostOffice() as running:
        yield running


@pytest.fixture
def settings(settings, office: PostOffice):
    """One connection: the messages go out one after the other, so that a test can step in between."""
    return replace(settings, smtp_url=office.url, smtp_connections=1)


@pytest.fixture
def work(work) -> Callable[[], None]:
    """Twice: the job that closes a campaign is due when the one that sends it has ended."""

    def work_off() -> None:
        work()
        work()

    return work_off


@pytest.fixture
def launch(alice) -> Callable[..., int]:
    def launched(guests: int = 3, **fields) -> int:
        campaign_id = launches.launch(alice.id, guests, **fields)
        session.commit()
        return campaign_id

    return launched


def do(act: Callable[[], object]) -> Callable[[], None]:
    """In the mail server's thread, in a transaction of its own: while the first message waits for its answer."""

    def step_in() -> None:
        try:
            act()
            session.commit()
        finally:
            session.remove()

    return step_in


def emails(*numbers: int) -> list[str]:
    return [f"guest{number}@example.com" for number in numbers]


def set_status(campaign_id: int, status: str) -> None:
    session.get_one(Campaign, campaign_id, with_for_update=True).status = status


# What becomes of a message


def test_each_guest_gets_the_message_once_and_is_invited(launch, work, office):
    campaign_id = launch(5)
    work()
    assert sorted(office.to()) == emails(0, 1, 2, 3, 4)
    campaign = campaign_of(campaign_id)
    assert (campaign.status, campaign.fault) == ("done", None)
    assert campaign.started_at <= campaign.finished_at
    for row in rows_of(campaign_id):
        assert (row.state, row.attempts, row.error) == ("sent", 1, None)
        assert row.sending_at <= row.sent_at
    assert {(guest.status, guest.invited_at is None) for guest in session.scalars(select(Guest))} == {
        ("invited", False)
    }
    job = job_of(campaign_id)
    assert (job.status, job.result) == ("succeeded", {"sent": 5})
    assert (job.progress_total, job.progress_completed, job.progress_failed) == (5, 5, 0)
    assert office.connections == 1
    ids = [taken.message["Message-ID"] for taken in office.taken]
    assert ids == [f"<campaign-{campaign_id}-{row.id}@localhost>" for row in rows_of(campaign_id)]
    work()
    assert len(office.taken) == 5


def test_only_who_was_added_becomes_invited(launch, work):
    launch(2)
    session.execute(update(Guest).where(Guest.email == "guest0@example.com").values(status="accepted"))
    session.commit()
    work()
    assert set(session.execute(select(Guest.email, Guest.status))) == {
        ("guest0@example.com", "accepted"),
        ("guest1@example.com", "invited"),
    }


def test_message_without_the_link_invites_nobody(launch, work):
    launch(1, body="Hello")
    work()
    guest = session.scalars(select(Guest)).one()
    assert (guest.status, guest.invited_at) == ("added", None)


def test_refusal_for_good_is_noted_in_the_servers_words(launch, work, office):
    office.script[FIRST] = [NEVER_EVER]
    campaign_id = launch(2)
    work()
    assert [(row.state, row.error) for row in rows_of(campaign_id)] == [
        ("failed", f"The mail server said: {NEVER_EVER}"),
        ("sent", None),
    ]
    assert campaign_of(campaign_id).status == "done"
    job = job_of(campaign_id)
    assert (job.status, job.progress_completed, job.progress_failed) == ("succeeded", 1, 1)
    assert session.scalars(select(Guest.status).order_by(Guest.id)).all() == ["added", "invited"]


def test_refusal_for_now_is_tried_again_later_and_in_the_end_failed(launch, work, office):
    office.script[FIRST] = [LATER] * 5
    campaign_id = launch(2)
    waits = []
    for number in range(4):
        work()
        row, other = rows_of(campaign_id)
        assert (row.state, row.attempts, other.state) == ("pending", number + 1, "sent")
        waits.append((row.not_before - row.sending_at).total_seconds())
        job = job_of(campaign_id)
        assert (job.status, job.run_at, job.charged) == ("scheduled", row.not_before, 0)
        work()
        assert rows_of(campaign_id)[0].attempts == number + 1
        due_now(campaign_id)
    assert [round(wait, -1) for wait in waits] == [60, 300, 1800, 7200]
    work()
    row, _ = rows_of(campaign_id)
    assert (row.state, row.attempts, row.error) == ("failed", 5, f"The mail server said: {LATER}")
    assert campaign_of(campaign_id).status == "done"
    assert office.to() == emails(1)


def test_refusal_for_now_that_passes_ends_well(launch, work, office):
    office.script[FIRST] = [LATER]
    campaign_id = launch(1)
    work()
    due_now(campaign_id)
    work()
    assert [(row.state, row.error, row.not_before) for row in rows_of(campaign_id)] == [("sent", None, None)]


def test_refused_message_that_is_due_again_is_sent_before_the_end(launch, work, office, monkeypatch):
    monkeypatch.setattr(sending.recipients, "DELAYS", (timedelta(0),) * 4)
    office.script[FIRST] = [LATER]
    campaign_id = launch(3)
    work()
    assert (office.to(), job_of(campaign_id).attempt) == (emails(1, 2, 0), 1)


def test_message_without_an_answer_is_left_unknown(launch, work, office):
    office.script["end guest0@example.com"] = [DROP]
    campaign_id = launch(2)
    work()
    first, second = rows_of(campaign_id)
    assert (first.state, second.state) == ("unknown", "sent")
    assert "before it answered" in first.error
    assert campaign_of(campaign_id).status == "done"
    assert job_of(campaign_id).progress_failed == 1


def test_message_without_an_answer_is_sent_again_if_so_wished_but_not_for_ever(launch, work, office):
    office.script["end guest0@example.com"] = [DROP] * 9
    campaign_id = launch(1, if_unknown="send_again")
    for _ in range(4):
        work()
        assert states_of(campaign_id) == ["pending"]
        due_now(campaign_id)
    work()
    assert states_of(campaign_id) == ["unknown"]
    assert office.steps.count("end") == 5


def test_no_address_gets_two_messages_over_many_connections(launch, work, office, settings):
    config.use(replace(settings, smtp_connections=8))
    campaign_id = launch(40)
    work()
    assert sorted(office.to()) == sorted(emails(*range(40)))
    assert set(states_of(campaign_id)) == {"sent"}
    assert office.connections == 8


def test_server_that_wants_fewer_connections_gets_fewer(launch, work, office, settings):
    config.use(replace(settings, smtp_connections=4))
    office.script["connect"] = ["421 too many connections"] * 2
    campaign_id = launch(20)
    work()
    assert sorted(office.to()) == sorted(emails(*range(20)))
    assert (office.connections, campaign_of(campaign_id).status) == (4, "done")


# The mail server is away


@pytest.mark.parametrize(("step", "answer"), [("connect", DROP), ("MAIL", CLOSING), ("DATA", DROP)])
def test_server_that_is_away_from_the_start_is_the_jobs_failure_and_no_messages(launch, work, office, step, answer):
    office.script[step] = [answer]
    campaign_id = launch(2)
    work()
    assert [(row.state, row.attempts) for row in rows_of(campaign_id)] == [("pending", 0)] * 2
    job = job_of(campaign_id)
    assert (job.status, job.charged) == ("retrying", 1)
    assert "The mail server" in job.history[-1]["error"]
    due_now(campaign_id)
    work()
    assert states_of(campaign_id) == ["sent"] * 2


def test_server_that_goes_away_is_waited_for(launch, work, office):
    office.script["RCPT guest1@example.com"] = [DROP, DROP]
    campaign_id = launch(3)
    work()
    assert [(row.state, row.attempts) for row in rows_of(campaign_id)] == [("sent", 1), ("pending", 0), ("pending", 0)]
    job = job_of(campaign_id)
    assert (job.status, job.charged) == ("scheduled", 0)
    assert timedelta(0) < job.run_at - job.started_at < timedelta(seconds=60)
    due_now(campaign_id)
    work()
    assert office.to() == emails(0, 1, 2)


def test_server_that_stays_away_pauses_the_campaign_and_says_why(launch, work, office):
    office.script["connect"] = [CLOSING] * 9
    campaign_id = launch(2)
    for _ in range(9):
        work()
        session.execute(update(Job).where(Job.status == "retrying").values(run_at=now()))
        session.commit()
    work()
    campaign = campaign_of(campaign_id)
    assert job_of(campaign_id).status == "failed"
    assert campaign.status == "paused"
    assert CLOSING in campaign.fault
    assert states_of(campaign_id) == ["pending"] * 2


# What it costs


def test_round_costs_as_many_queries_however_long_the_campaign_is(launch, work, queries):
    launch(1)
    work()  # opens the connections
    costs = []
    for guests in (5, 6, 40, 41):
        launch(guests)
        queries.clear()
        work()
        costs.append(len(queries))
    # The campaign with its event, locked; guests and recipients of the round before; the next ones; their mark; the
    # job's progress.
    assert [costs[1] - costs[0], costs[3] - costs[2]] == [6, 6]


# Other mails


def test_other_mail_that_is_refused_for_good_fails_its_job_at_once(client, alice, work, office):
    office.script["RCPT"] = [NEVER_EVER]
    client.post("/api/v1/password-reset", json={"email": alice.email})
    work()
    job = session.scalars(select(Job)).one()
    assert (job.status, job.attempt) == ("failed", 1)
    assert (job.error["title"], job.error["detail"]) == ("Mail refused", f"The mail server said: {NEVER_EVER}")


@pytest.mark.parametrize(("step", "answer"), [("RCPT", LATER), ("MAIL", CLOSING), ("end", DROP)])
def test_other_mail_that_is_refused_for_now_is_tried_again(client, alice, work, office, step, answer):
    office.script[step] = [answer]
    client.post("/api/v1/password-reset", json={"email": alice.email})
    work()
    job = session.scalars(select(Job)).one()
    assert (job.status, job.charged) == ("retrying", 1)
    session.execute(update(Job).values(run_at=now()))
    session.commit()
    work()
    assert (job_status(), office.to()) == ("succeeded", [alice.email])


def job_status() -> str:
    return session.scalars(select(Job.status)).one()


# What people do meanwhile


def test_pause_takes_effect_at_the_next_message_and_resume_goes_on(launch, work, office):
    campaign_id = launch(3)
    office.script["end"] = [do(lambda: set_status(campaign_id, "paused"))]
    work()
    assert states_of(campaign_id) == ["sent", "pending", "pending"]
    job = job_of(campaign_id)
    assert (job.status, job.run_at) == ("scheduled", NEVER)
    set_status(campaign_id, "sending")
    assert hasten(job.id)
    session.commit()
    work()
    assert office.to() == emails(0, 1, 2)
    assert campaign_of(campaign_id).status == "done"


def test_cancel_takes_effect_at_the_next_message(launch, work, office):
    campaign_id = launch(3)

    def cancel() -> None:
        set_status(campaign_id, "cancelled")
        session.execute(update(Recipient).where(Recipient.state == "pending").values(state="skipped"))
        jobs.cancel(session.get_one(Job, session.get_one(Campaign, campaign_id).job_id))

    office.script["end"] = [do(cancel)]
    work()
    assert states_of(campaign_id) == ["sent", "skipped", "skipped"]
    assert (campaign_of(campaign_id).status, job_of(campaign_id).status) == ("cancelled", "canceled")


def test_cancel_of_the_campaign_alone_ends_its_job(launch, work, office):
    campaign_id = launch(3)

    def cancel() -> None:
        set_status(campaign_id, "cancelled")
        session.execute(update(Recipient).where(Recipient.state == "pending").values(state="skipped"))

    office.script["end"] = [do(cancel)]
    work()
    assert (campaign_of(campaign_id).status, job_of(campaign_id).status) == ("cancelled", "succeeded")
    assert office.to() == emails(0)


@pytest.mark.parametrize("policy", ["leave", "send_again"])
def test_cancel_of_the_job_cancels_the_campaign_and_marks_nobody(launch, work, office, policy):
    campaign_id = launch(3, if_unknown=policy)
    office.script["end"] = [do(lambda: jobs.cancel(session.get_one(Job, job_of(campaign_id).id)))]
    work()
    campaign = campaign_of(campaign_id)
    assert (campaign.status, campaign.finished_at is None) == ("cancelled", False)
    first, *others = rows_of(campaign_id)
    assert (first.state, first.attempts) == ("sent", 1)
    assert [(row.state, row.attempts, row.error) for row in others] == [
        ("skipped", 0, "the campaign was cancelled")
    ] * 2


def test_job_that_is_canceled_while_it_waits_cancels_the_campaign(launch, work):
    campaign_id = launch(2, status="scheduled", scheduled_at=now() + timedelta(days=1))
    work()
    jobs.cancel(session.get_one(Job, job_of(campaign_id).id))
    session.commit()
    work()
    assert campaign_of(campaign_id).status == "cancelled"
    assert states_of(campaign_id) == ["skipped"] * 2


def test_scheduled_campaign_waits_for_its_moment(launch, work, office):
    moment = now() + timedelta(days=1)
    campaign_id = launch(1, status="scheduled", scheduled_at=moment)
    work()
    campaign, job = campaign_of(campaign_id), job_of(campaign_id)
    assert (campaign.status, campaign.started_at, job.status, job.run_at) == ("scheduled", None, "scheduled", moment)
    session.execute(update(Campaign).values(scheduled_at=now()))
    due_now(campaign_id)
    work()
    assert (campaign_of(campaign_id).status, len(office.taken)) == ("done", 1)


def test_who_unsubscribed_meanwhile_gets_nothing_more(launch, work, office, alice, bob):
    campaign_id = launch(4)

    def unsubscribe() -> None:
        Unsubscription.create(user_id=alice.id, email_key="guest1@example.com")
        Unsubscription.create(user_id=bob.id, email_key="guest2@example.com")

    office.script["end"] = [do(unsubscribe)]
    work()
    assert [(row.state, row.error) for row in rows_of(campaign_id)] == [
        ("sent", None),
        ("skipped", "unsubscribed"),
        ("sent", None),
        ("sent", None),
    ]
    assert job_of(campaign_id).progress_completed == 4


def test_address_that_a_guest_had_at_the_launch_does_not_get_the_link_of_another(launch, work, office):
    campaign_id = launch(2)

    def move() -> None:
        guest = session.scalars(select(Guest).filter_by(email="guest1@example.com")).one()
        guest.update(email="moved@example.com", email_key="moved@example.com", link_key="another")

    office.script["end"] = [do(move)]
    work()
    assert [(row.state, row.error) for row in rows_of(campaign_id)] == [
        ("sent", None),
        ("skipped", "the guest has another address by now"),
    ]


def test_guest_who_was_deleted_meanwhile_gets_nothing(launch, work, office):
    campaign_id = launch(2)
    office.script["end"] = [
        do(lambda: session.delete(session.scalars(select(Guest).filter_by(email="guest1@example.com")).one()))
    ]
    work()
    assert [(row.state, row.error) for row in rows_of(campaign_id)] == [
        ("sent", None),
        ("skipped", "the guest was deleted"),
    ]


def test_event_that_was_deleted_meanwhile_leaves_nobody_to_send_to(launch, work, office):
    campaign_id = launch(3)
    office.script["end"] = [do(lambda: session.delete(session.scalars(select(Event)).one()))]
    work()
    assert states_of(campaign_id) == ["sent", "skipped", "skipped"]
    assert campaign_of(campaign_id).status == "done"


@pytest.mark.parametrize("status", ["sending", "done"])
def test_campaign_that_was_deleted_meanwhile_ends_its_job(launch, work, office, status):
    campaign_id = launch(2)
    job_id = job_of(campaign_id).id
    office.script["end"] = [do(lambda: session.delete(session.get_one(Campaign, campaign_id)))]
    work()
    assert session.get_one(Job, job_id, populate_existing=True).status == "succeeded"
    assert session.scalars(select(Job.status).where(Job.type == "campaigns.close")).one() == "succeeded"


def test_account_that_was_deleted_meanwhile_takes_everything_along(launch, work, office, alice):
    launch(2)
    office.script["end"] = [do(lambda: session.delete(session.get_one(User, alice.id)))]
    work()
    assert session.scalars(select(Recipient)).all() == []
    assert len(office.taken) == 1


# Attachments


@pytest.fixture
def attachment(alice) -> str:
    answer = alice.post("/api/v1/files", query_string={"name": "plan.txt"}, data=b"the plan")
    return str(answer.json["sha256"])


def test_attachment_goes_along(launch, work, office, attachment):
    launch(2, attachment=attachment)
    work()
    for taken in office.taken:
        _, attached = taken.message.iter_parts()
        assert attached.get_filename() == "plan.txt"
        assert attached.get_payload(decode=True) == b"the plan"


@pytest.mark.parametrize("lost", ["row", "bytes", "size"])
def test_attachment_that_is_gone_pauses_the_campaign_which_can_go_on_later(
    launch, work, office, attachment, lost, monkeypatch
):
    campaign_id = launch(2, attachment=attachment)
    file = session.scalars(select(File)).one()
    if lost == "row":
        session.delete(file)
    elif lost == "bytes":
        storage().delete(file.key)
    else:
        monkeypatch.setattr(sending, "LARGEST_ATTACHMENT", 3)
    session.commit()
    work()
    campaign, job = campaign_of(campaign_id), job_of(campaign_id)
    assert (campaign.status, job.status, job.attempt) == ("paused", "failed", 1)
    assert campaign.fault == job.error["detail"]
    assert states_of(campaign_id) == ["pending"] * 2
    again = session.get_one(Campaign, campaign_id)
    again.status, again.attachment = "sending", None
    launches.ask_to_send(again)
    session.commit()
    work()
    assert (campaign_of(campaign_id).status, len(office.taken)) == ("done", 2)


# Pace


def test_so_many_messages_a_minute_and_no_more(launch, work, office):
    campaign_id = launch(3, messages_per_minute=2)
    work()
    campaign, job = campaign_of(campaign_id), job_of(campaign_id)
    (first, *_) = rows_of(campaign_id)
    assert len(office.taken) == 1
    assert campaign.next_message_at == first.sending_at + timedelta(seconds=30)
    assert (job.status, job.run_at, job.charged) == ("scheduled", campaign.next_message_at, 0)
    due_now(campaign_id)  # of the job alone
    work()
    assert len(office.taken) == 1
    session.execute(update(Campaign).values(next_message_at=now()))
    due_now(campaign_id)
    work()
    assert len(office.taken) == 2


def test_short_waits_keep_the_worker(launch, work, office):
    campaign_id = launch(3, messages_per_minute=600)
    work()
    assert len(office.taken) == 3
    first, _, third = rows_of(campaign_id)
    assert third.sending_at - first.sending_at >= timedelta(milliseconds=200)
    assert job_of(campaign_id).attempt == 1


def test_long_campaign_lets_others_have_the_worker(launch, work, office, monkeypatch):
    monkeypatch.setattr(sending, "SLICE_SECONDS", 0.0)
    campaign_id = launch(2)
    work()
    assert office.taken == []
    job = job_of(campaign_id)
    assert (job.status, job.charged) == ("scheduled", 0)
    monkeypatch.undo()
    work()
    assert len(office.taken) == 2


# The worker


def test_worker_that_has_to_go_leaves_no_message_in_doubt(launch, work, office):
    campaign_id = launch(3)
    office.script["end"] = [attempt.stopping.set]
    try:
        work()
    finally:
        attempt.stopping.clear()
    assert states_of(campaign_id) == ["sent", "pending", "pending"]
    assert job_of(campaign_id).status == "scheduled"
    work()
    assert office.to() == emails(0, 1, 2)


def test_worker_that_has_to_go_does_not_wait_for_ever(launch, work, office, monkeypatch):
    monkeypatch.setattr(outlets, "LAST_WORD_SECONDS", 0.1)
    silence = threading.Event()
    campaign_id = launch(2)
    office.script["end"] = [silence]
    office.script["DATA"] = [attempt.stopping.set]
    try:
        work()
    finally:
        attempt.stopping.clear()
        silence.set()
    assert states_of(campaign_id) == ["unknown", "pending"]
    assert job_of(campaign_id).status == "scheduled"
    wait_for(lambda: not [one for one in threading.enumerate() if one.name.startswith("outlet")], lambda: "it hangs")


@pytest.mark.parametrize("policy", ["leave", "send_again"])
def test_worker_that_lost_the_job_notes_nothing(launch, work, office, policy):
    """It was paused past its lease, and somebody else has resolved the row that it was sending."""
    campaign_id = launch(2, if_unknown=policy)

    def take_over() -> None:
        job = session.scalars(select(Job).where(Job.type == "campaigns.deliver")).one()
        ledger.take_back(job, at_once=True)
        claims.claim(job.id, "another worker")
        session.execute(update(Recipient).where(Recipient.state == "sending").values(state="unknown"))

    office.script["end"] = [do(take_over)]
    work()
    assert states_of(campaign_id) == ["unknown", "pending"]
    assert job_of(campaign_id).status == "running"
    assert office.to() == emails(0)


def test_worker_that_stood_still_with_a_marked_message_does_not_hand_it_over(launch, work, office, monkeypatch):
    monkeypatch.setattr(outlets, "FRESH_SECONDS", -1.0)
    monkeypatch.setattr(sending, "SLICE_SECONDS", 0.2)
    campaign_id = launch(1)
    work()
    assert [(row.state, row.attempts) for row in rows_of(campaign_id)] == [("pending", 0)]
    assert (office.taken, job_of(campaign_id).charged) == ([], 0)


def test_outcomes_outlive_trouble_with_the_database(launch, work, office, monkeypatch):
    monkeypatch.setattr(sending, "DATABASE_RETRIES", (0.0, 0.0))
    campaign_id = launch(2)
    note, failures = sending.recipients.note, [True, True]

    def fail(campaign, letters, counts) -> None:
        note(campaign, letters, counts)
        if letters and failures:
            failures.pop()
            raise sending.OperationalError("UPDATE", {}, Exception("a deadlock"))

    monkeypatch.setattr(sending.recipients, "note", fail)
    work()
    assert (states_of(campaign_id), office.to()) == (["sent"] * 2, emails(0, 1))
    assert job_of(campaign_id).result == {"sent": 2}


def test_bug_leaves_one_message_unknown_and_stops_no_campaign(launch, work, office, monkeypatch):
    real = mailer.compose

    def compose(mail):
        if mail.to == "guest0@example.com":
            raise RuntimeError("a bug")
        return real(mail)

    monkeypatch.setattr(mailer, "compose", compose)
    campaign_id = launch(2)
    work()
    assert states_of(campaign_id) == ["unknown", "sent"]


# The end


def test_close_leaves_alone_what_was_launched_again(launch, work):
    campaign_id = launch(1)
    closer = enqueue("campaigns.close", campaign_id=campaign_id).id
    session.commit()
    work()
    assert session.get_one(Job, closer, populate_existing=True).status == "succeeded"
    assert campaign_of(campaign_id).status == "done"


def spoil(campaign_id: int) -> None:
    """The job fails, as by another version of the code, and leaves a message of which nobody knows."""
    job, (row, *_) = job_of(campaign_id), rows_of(campaign_id)
    session.execute(update(Job).where(Job.id == job.id).values(args={"other": 1}, max_attempts=1))
    session.execute(update(Recipient).where(Recipient.id == row.id).values(state="sending"))
    session.commit()


@pytest.mark.parametrize(("policy", "state"), [("leave", "unknown"), ("send_again", "pending")])
def test_job_that_fails_for_good_leaves_the_rest_to_be_resumed(launch, work, policy, state):
    campaign_id = launch(2, if_unknown=policy)
    spoil(campaign_id)
    work()
    campaign = campaign_of(campaign_id)
    assert (campaign.status, job_of(campaign_id).status) == ("paused", "failed")
    assert states_of(campaign_id) == [state, "pending"]


def test_job_that_fails_after_the_last_message_changes_nothing(launch, work):
    campaign_id = launch(1)
    spoil(campaign_id)
    work()
    assert (campaign_of(campaign_id).status, states_of(campaign_id)) == ("done", ["unknown"])
