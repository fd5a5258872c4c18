"""A new password by a code that was mailed: for whoever reads the mailbox, once, within the hour."""

import logging
import re
import threading
from datetime import timedelta

import pytest
from people import PASSWORD, Person
from redis import Redis
from sqlalchemy import select, text, update

from app.db import session
from app.helpers import mailer, passwords, tokens
from app.models import Base, Job, PasswordReset, User
from app.models.base import now
from app.services import passwords as service

NEW = "a brand new password"


def ask(client, email):
    return client.post("/api/v1/password-reset", json={"email": email})


def confirm(client, code, password=NEW):
    return client.post("/api/v1/password-reset/confirm", json={"code": code, "password": password})


def sign_in(client, email, password):
    return client.post("/api/v1/authenticate", json={"email": email, "password": password}).status_code


def codes_in(mails) -> list[str]:
    return [code for mail in mails() for code in re.findall(r"\bacr_[\w-]{43}\b", mail)]


@pytest.fixture
def code(alice, client, work, mails) -> str:
    """The code that was mailed to Alice."""
    ask(client, alice.email)
    work()
    (found,) = codes_in(mails)
    return found


# Asking


def test_code_is_mailed_to_the_address_of_the_account(alice, client, work, mails):
    answer = ask(client, "ALICE@example.com")
    assert (answer.status_code, answer.json) == (202, {"status": "accepted"})
    work()
    (mail,) = mails()
    assert "To: alice@example.com" in mail
    assert "http://127.0.0.1:5000/api/v1/password-reset/confirm" in mail


def test_unknown_address_gets_the_same_answer_and_no_mail(alice, client, work, mails):
    answers = [ask(client, email) for email in (alice.email, "nobody@example.com")]
    work()
    assert len(mails()) == 1
    assert answers[0].get_data() == answers[1].get_data()
    headers = [{name: value for name, value in answer.headers if name != "X-Request-Id"} for answer in answers]
    assert headers[0] == headers[1]
    assert "Location" not in headers[0]


def test_unknown_address_costs_the_same_work(alice, client, queries, redis, monkeypatch):
    work_of = {}
    hashes = []
    monkeypatch.setattr(passwords.PasswordHasher, "hash", lambda *_: hashes.append(1))
    monkeypatch.setattr(passwords.PasswordHasher, "verify", lambda *_: hashes.append(1))
    ask(client, "first@example.com")  # opens the connections
    for email in (alice.email, "never@example.com"):
        queries.clear()
        redis.config_resetstat()
        ask(client, email)
        calls = {name: told["calls"] for name, told in redis.info("commandstats").items() if "config" not in name}
        work_of[email] = (list(queries), list(hashes), calls)
    one, other = work_of.values()
    assert one == other
    assert len(one[0]) == 1  # the job is written, and nothing is looked up


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/email"),
        ({"email": "alice"}, "#/email"),
        ({"email": None}, "#/email"),
        ({"email": "a" * 250 + "@example.com"}, "#/email"),
        ({"email": "alice@example.com", "url": "https://evil.example"}, "#/url"),
    ],
)
def test_bad_request_is_422_and_makes_no_job(client, body, pointer):
    answer = client.post("/api/v1/password-reset", json=body)
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json["errors"]]
    assert session.scalars(select(Job)).all() == []


def test_job_is_shown_to_nobody_but_the_account_whose_mailbox_got_the_mail(alice, bob, client, work):
    ask(client, alice.email)
    ask(client, "nobody@example.com")
    assert alice.get("/api/v1/jobs").json == {"items": []}
    work()
    assert [job["type"] for job in alice.get("/api/v1/jobs").json["items"]] == ["passwords.mail_reset"]
    assert bob.get("/api/v1/jobs").json == {"items": []}


# Confirming


def test_code_sets_the_password_and_signs_in(alice, client, code):
    answer = confirm(client, code)
    assert answer.status_code == 200
    assert set(answer.json) == {"id", "token"}
    again = Person(client, alice.email, alice.id, answer.json["token"])
    assert again.get("/api/v1/user").json["email"] == alice.email
    assert sign_in(client, alice.email, NEW) == 200
    assert sign_in(client, alice.email, PASSWORD) == 401


def test_new_password_ends_sessions_and_named_tokens(alice, client, code):
    named = alice.post("/api/v1/user/tokens", json={"name": "x", "scopes": ["user:read"]}).json["token"]
    assert Person(client, "", alice.id, named).get("/api/v1/user").status_code == 200
    confirm(client, code)
    assert alice.get("/api/v1/user").status_code == 401
    assert Person(client, "", alice.id, named).get("/api/v1/user").status_code == 401


def refusal(answer) -> dict:
    assert answer.status_code == 422
    assert answer.json["errors"] == [{"detail": "is wrong, used or expired", "pointer": "#/code"}]
    return {**answer.json, "request_id": None}


def test_wrong_used_and_expired_code_are_refused_alike(alice, client, code, work, mails):
    wrong = refusal(confirm(client, code[:-1] + ("A" if code[-1] != "A" else "B")))
    assert confirm(client, code).status_code == 200
    used = refusal(confirm(client, code))
    ask(client, alice.email)
    work()
    (fresh,) = set(codes_in(mails)) - {code}
    session.execute(update(PasswordReset).values(expires_at=now()))
    session.commit()
    assert wrong == used == refusal(confirm(client, fresh))
    assert sign_in(client, alice.email, NEW) == 200


def test_code_is_good_for_an_hour(alice, code):
    kept = session.scalars(select(PasswordReset)).one()
    assert timedelta(minutes=59) < kept.expires_at - now() <= timedelta(hours=1)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"password": NEW}, "#/code"),
        ({"code": "", "password": NEW}, "#/code"),
        ({"code": "x" * 201, "password": NEW}, "#/code"),
        ({"code": 5, "password": NEW}, "#/code"),
        ({"code": "acr_x"}, "#/password"),
        ({"code": "acr_x", "password": "short"}, "#/password"),
        ({"code": "acr_x", "password": NEW, "email": "alice@example.com"}, "#/email"),
    ],
)
def test_bad_confirmation_is_422(client, body, pointer):
    answer = client.post("/api/v1/password-reset/confirm", json=body)
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json["errors"]]


def test_bad_password_leaves_the_code_good(client, code):
    assert confirm(client, code, "short").status_code == 422
    assert confirm(client, code).status_code == 200


def test_one_of_two_at_once_wins(app, code):
    answers, barrier = [], threading.Barrier(4)

    def use(number: int) -> None:
        barrier.wait()
        answers.append(confirm(app.test_client(), code, f"{NEW} {number}").status_code)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 422, 422, 422]


def test_code_of_one_account_is_nothing_to_another(alice, bob, client, code):
    confirm(client, code)
    assert sign_in(client, bob.email, NEW) == 401
    assert bob.get("/api/v1/user").status_code == 200


# What ends a code, and what does not


def test_using_one_code_ends_the_others(alice, client, code, work, mails):
    ask(client, alice.email)
    work()
    (other,) = set(codes_in(mails)) - {code}
    assert confirm(client, other).status_code == 200
    refusal(confirm(client, code))


@pytest.mark.parametrize("fields", [{"email": "new@example.com"}, {"password": NEW}])
def test_changing_address_or_password_ends_the_codes(alice, client, code, fields):
    assert alice.patch("/api/v1/user", json={"current_password": PASSWORD, **fields}).status_code == 200
    refusal(confirm(client, code))


def test_deleted_account_is_not_opened_by_a_code(alice, client, code):
    alice.delete("/api/v1/user", json={"current_password": PASSWORD})
    refusal(confirm(client, code))


def test_second_attempt_leaves_the_first_mail_good(alice, client, work, mails, monkeypatch):
    """The first one's mail went out, and then its worker lost the mail server."""
    real, sent = mailer.send, []

    def send(mail):
        real(mail)
        sent.append(mail.key)
        if len(sent) == 1:
            raise OSError("the connection broke after the mail was taken")

    monkeypatch.setattr(mailer, "send", send)
    ask(client, alice.email)
    work()
    (first,) = codes_in(mails)
    session.execute(update(Job).where(Job.status == "retrying").values(run_at=now()))
    session.commit()
    work()
    (second,) = codes_in(mails)
    assert sent[0] == sent[1]  # the same Message-ID, by which the repeat can be told
    assert first != second
    assert confirm(client, first).status_code == 200
    refusal(confirm(client, second))


def test_code_is_good_before_its_mail_goes_out(alice, client, work, monkeypatch):
    answers = []

    def send(mail):
        assert not session().in_transaction()
        (code,) = re.findall(r"\bacr_[\w-]{43}\b", mail.text)
        answers.append(confirm(client, code).status_code)

    monkeypatch.setattr(mailer, "send", send)
    ask(client, alice.email)
    work()
    assert answers == [200]


def test_expired_codes_are_forgotten(alice, client, code, work):
    session.execute(update(PasswordReset).values(expires_at=now() - timedelta(seconds=1)))
    session.commit()
    ask(client, alice.email)
    work()
    assert len(session.scalars(select(PasswordReset)).all()) == 1


# Where a code must not be


def test_code_is_nowhere_but_in_the_mail(alice, client, work, mails, redis: Redis, caplog, app, monkeypatch):
    caplog.set_level(logging.DEBUG)
    made = []
    real = tokens.new_secret
    monkeypatch.setattr(service, "new_secret", lambda prefix: made.append(real(prefix)) or made[-1])
    ask(client, alice.email)
    work()
    confirm(client, made[0])
    places = [repr(session.execute(text(f"SELECT * FROM {table}")).all()) for table in Base.metadata.tables]
    places.append(caplog.text)
    for key in redis.scan_iter():
        places.append(repr(redis.dump(key)))
    assert codes_in(mails) == made
    for place in places:
        assert made[0] not in place
        assert made[0][4:] not in place
    session.rollback()


def test_failed_mail_leaves_no_code_in_the_row_of_the_job(alice, client, work, monkeypatch):
    seen = []

    def send(mail):
        seen.extend(re.findall(r"\bacr_[\w-]{43}\b", mail.text))
        raise OSError("no mail server")

    monkeypatch.setattr(mailer, "send", send)
    ask(client, alice.email)
    work()
    row = session.execute(select(Job.__table__)).mappings().one()
    assert row["status"] == "retrying"
    assert seen[0] not in repr(row)


def test_address_goes_with_the_account(alice, client, code):
    alice.delete("/api/v1/user", json={"current_password": PASSWORD})
    assert session.scalars(select(Job)).all() == []


# What it costs


def test_each_request_costs_as_many_queries_as_it_should(alice, client, code, queries):
    queries.clear()
    ask(client, alice.email)
    assert len(queries) == 1
    queries.clear()
    confirm(client, "acr_wrong")
    assert len(queries) == 1
    queries.clear()
    confirm(client, code)
    # Whose code; the account, locked; is it still good; the other codes; the named tokens; the account.
    assert len(queries) == 6


def test_wrong_code_costs_the_same_hashes_as_a_good_one(client, code, monkeypatch):
    counted = []
    monkeypatch.setattr(service, "hash_password", lambda password: counted.append(1) or "x")
    confirm(client, "acr_wrong")
    confirm(client, code)
    assert counted == [1, 1]


def test_signing_in_costs_the_same_for_an_unknown_address_and_a_wrong_password(alice, client, queries, monkeypatch):
    real, verified = passwords.PasswordHasher.verify, []
    passwords._nobody()
    monkeypatch.setattr(passwords.PasswordHasher, "verify", lambda *args: verified.append(1) or real(*args))
    costs = []
    for email in (alice.email, "nobody@example.com"):
        queries.clear()
        verified.clear()
        assert sign_in(client, email, "wrong password") == 401
        costs.append((len(queries), len(verified)))
    assert costs == [(1, 1), (1, 1)]
    assert session.scalars(select(User)).one().email == alice.email
