"""One's own account: changing what opens it, signing out everywhere, and leaving."""

import pytest
from people import PASSWORD, Person
from redis import Redis
from sqlalchemy import func, select

from app.db import session
from app.helpers import passwords
from app.models import Base, Job, User
from app.queue import checkpoint, enqueue, job, outbox
from app.services import users

NEW = "a brand new password"


def change(person, headers=None, **fields):
    return person.patch("/api/v1/user", json={"current_password": PASSWORD, **fields}, headers=headers or {})


def sign_in(client, email, password=PASSWORD):
    return client.post("/api/v1/authenticate", json={"email": email, "password": password})


def leave(person, password=PASSWORD, **options):
    return person.delete("/api/v1/user", json={"current_password": password}, **options)


# PATCH /user


def test_address_is_changed_and_sessions_go_on(alice, client):
    answer = change(alice, email="Alice@Elsewhere.example")
    assert answer.status_code == 200
    assert answer.json["email"] == "Alice@Elsewhere.example"
    assert "token" not in answer.json
    assert alice.get("/api/v1/user").json == answer.json
    assert sign_in(client, "alice@elsewhere.example").status_code == 200
    assert sign_in(client, alice.email).status_code == 401


def test_new_password_ends_every_other_session_and_gives_a_token(alice, client):
    other = Person(client, alice.email, alice.id, sign_in(client, alice.email).json["token"])
    answer = change(alice, password=NEW)
    assert answer.status_code == 200
    for ended in (alice, other):
        assert ended.get("/api/v1/user").status_code == 401
    again = Person(client, alice.email, alice.id, answer.json["token"])
    shown = again.get("/api/v1/user")
    assert {**shown.json, "token": again.token} == answer.json
    assert shown.headers["ETag"] == answer.headers["ETag"]
    assert sign_in(client, alice.email).status_code == 401
    assert sign_in(client, alice.email, NEW).status_code == 200


@pytest.mark.parametrize("wish", [{"email": "new@example.com"}, {"password": NEW}, {}])
def test_wrong_current_password_is_403_and_changes_nothing(alice, client, wish):
    before = alice.get("/api/v1/user").json
    answer = change(alice, current_password="wrong password", **wish)
    assert answer.status_code == 403
    assert answer.json["type"].endswith("/problems/forbidden")
    assert "required_scope" not in answer.json
    assert alice.get("/api/v1/user").json == before
    assert sign_in(client, alice.email).status_code == 200


@pytest.mark.parametrize("email", ["bob@example.com", "BOB@example.com"])
def test_address_of_another_account_is_409(alice, bob, email):
    answer = change(alice, email=email, password=NEW)
    assert answer.status_code == 409
    assert answer.json["type"].endswith("/problems/email-in-use")
    assert alice.get("/api/v1/user").json["email"] == alice.email


def test_ones_own_address_may_change_its_case(alice):
    assert change(alice, email="ALICE@example.com").json["email"] == "ALICE@example.com"


def test_address_that_is_taken_in_between_is_409(alice, bob, monkeypatch):
    monkeypatch.setattr(User, "find_by_email", lambda *_: None)
    assert change(alice, email=bob.email).status_code == 409


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/current_password"),
        ({"email": "new@example.com"}, "#/current_password"),
        ({"current_password": None}, "#/current_password"),
        ({"current_password": "x" * 1001}, "#/current_password"),
        ({"current_password": PASSWORD, "email": "new"}, "#/email"),
        ({"current_password": PASSWORD, "email": None}, "#/email"),
        ({"current_password": PASSWORD, "password": "short"}, "#/password"),
        ({"current_password": PASSWORD, "password": 12345678}, "#/password"),
        ({"current_password": PASSWORD, "role": "admin"}, "#/role"),
        ({"current_password": PASSWORD, "token_version": 1}, "#/token_version"),
    ],
)
def test_bad_change_is_422(alice, body, pointer):
    answer = alice.patch("/api/v1/user", json=body)
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json["errors"]]


def test_change_and_deletion_heed_if_match(alice):
    old = alice.get("/api/v1/user").headers["ETag"]
    changed = change(alice, email="new@example.com", headers={"If-Match": old})
    assert changed.status_code == 200
    for send in (change, leave):
        answer = send(alice, headers={"If-Match": old})
        assert answer.status_code == 412
    assert leave(alice, headers={"If-Match": changed.headers["ETag"]}).status_code == 204


def test_password_that_was_changed_during_the_comparison_does_not_count(alice):
    user = session.get_one(User, alice.id)
    confirmed = users.confirm(user, PASSWORD)
    user = session.get_one(User, alice.id)
    users.set_password(user, passwords.hash_password(NEW))
    for act in (users.change, users.delete):
        with pytest.raises(users.Forbidden):
            act(user, confirmed)


def test_no_transaction_is_open_while_a_hash_is_made(alice, monkeypatch):
    real, open_then = passwords.matches, []

    def matches(*args):
        open_then.append(session().in_transaction())
        return real(*args)

    monkeypatch.setattr(users, "matches", matches)
    change(alice, email="new@example.com")
    leave(alice)
    assert open_then == [False, False]


# POST /user/sign-out


def test_sign_out_ends_every_session(alice, bob, client):
    other = Person(client, alice.email, alice.id, sign_in(client, alice.email).json["token"])
    assert alice.post("/api/v1/user/sign-out").status_code == 204
    assert [person.get("/api/v1/user").status_code for person in (alice, other, bob)] == [401, 401, 200]
    assert sign_in(client, alice.email).status_code == 200


def test_second_sign_out_with_the_same_token_is_401(alice):
    answers = [alice.post("/api/v1/user/sign-out").status_code for _ in range(2)]
    assert answers == [204, 401]


# DELETE /user


def rows_by_table() -> dict[str, int]:
    session.rollback()
    tables = Base.metadata.sorted_tables
    return {table.name: session.scalar(select(func.count()).select_from(table)) for table in tables}


def test_deleted_account_takes_everything_along(alice, client, redis: Redis):
    empty = rows_by_table()
    alice.post("/api/v1/tasks", json={"text": "x", "due_at": "2099-01-01T00:00:00Z"}, headers={"Idempotency-Key": "k"})
    alice.post("/api/v1/baz", json={"to": 3})
    alice.post("/api/v1/user/tokens", json={"name": "x", "scopes": ["tasks:read"]})
    event = alice.post("/api/v1/events", json={"name": "x"}).json
    alice.post(f"/api/v1/events/{event['id']}/guests", json={"email": "grace@example.com"})
    full = rows_by_table()
    made = {"tasks", "jobs", "api_tokens", "idempotency_keys", "events", "guests"}
    assert {name for name in full if full[name] > empty[name]} >= made
    answer = leave(alice)
    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert rows_by_table() == empty | {"users": 0}
    assert alice.get("/api/v1/user").status_code == 401
    assert sign_in(client, alice.email).status_code == 401
    assert redis.llen("rq:queue:low") == 0
    assert redis.keys("rq:job:*") == []


def test_reminders_of_a_deleted_account_are_not_sent(alice, bob, work, mails):
    for person in (alice, bob):
        person.post("/api/v1/tasks", json={"text": "x", "due_at": "2020-01-01T00:00:00Z"})
    leave(alice)
    work()
    (mail,) = mails()
    assert "To: bob@example.com" in mail


def test_wrong_password_deletes_nothing(alice):
    assert leave(alice, "wrong password").status_code == 403
    assert alice.get("/api/v1/user").status_code == 200


@pytest.mark.parametrize("body", [{}, {"current_password": 5}, {"current_password": PASSWORD, "sure": True}])
def test_bad_deletion_is_422(alice, body):
    assert alice.delete("/api/v1/user", json=body).status_code == 422
    assert alice.get("/api/v1/user").status_code == 200


def test_deletion_is_nobody_elses(alice, bob):
    bob.post("/api/v1/tasks", json={"text": "stays"})
    leave(alice)
    assert [task["text"] for task in bob.get("/api/v1/tasks").json["items"]] == ["stays"]


def test_next_account_is_not_opened_by_the_tokens_of_the_deleted_one(alice, client):
    leave(alice)
    again = Person.sign_up(client, alice.email)  # on SQLite it gets the same number
    assert alice.get("/api/v1/user").status_code == 401
    assert again.get("/api/v1/user").status_code == 200


def test_many_waiting_jobs_leave_redis_in_one_go(alice, monkeypatch):
    for _ in range(5):
        alice.post("/api/v1/baz", json={"to": 1})
    calls = []
    monkeypatch.setattr(outbox.doorbell, "forget", lambda ids, queue: calls.append((len(ids), queue)))
    leave(alice)
    assert calls == [(5, "low")]


in_the_middle: list = []


@job()
def outlive(then: str) -> str:
    session.execute(select(User)).all()
    session.rollback()
    for act in in_the_middle:
        act()
    if then == "checkpoint":
        checkpoint(1, 2)
    if then == "raise":
        raise RuntimeError(then)
    return then


@pytest.mark.parametrize("then", ["return", "checkpoint", "raise"])
def test_running_job_of_a_deleted_account_ends_quietly(alice, work, caplog, then):
    def depart():
        session.delete(session.get_one(User, alice.id))
        session.commit()

    session.add(job_of(alice, then))
    session.commit()
    in_the_middle[:] = [depart]
    caplog.set_level("INFO", "app.queue.runner")
    work()
    ends = [record.getMessage() for record in caplog.records if "test_account.outlive" in record.getMessage()]
    assert len(ends) == 1
    assert "attempt 1: lost" in ends[0]
    assert session.scalars(select(Job)).all() == []


def job_of(person, then: str) -> Job:
    made = enqueue("test_account.outlive", then=then)
    made.account_id = person.id
    return made


# What it costs


def test_each_request_costs_as_many_queries_as_it_should(alice, queries):
    def cost(send, *args, **options) -> int:
        queries.clear()
        assert send(*args, **options).status_code < 300
        return len(queries)

    for number in range(3):
        alice.post("/api/v1/tasks", json={"text": str(number), "due_at": "2099-01-01T00:00:00Z"})
    assert cost(alice.get, "/api/v1/user") == 1
    # Who calls; the row, locked; is the address free; savepoint, change, release; the codes that were mailed.
    assert cost(change, alice, email="new@example.com") == 7
    # Who calls; the row, locked; the codes that were mailed; the change.
    assert cost(change, alice, password=NEW) == 4
    alice.token = sign_in(alice.client, "new@example.com", NEW).json["token"]
    assert cost(alice.post, "/api/v1/user/sign-out") == 2
    alice.token = sign_in(alice.client, "new@example.com", NEW).json["token"]
    # Who calls; the row, locked; the waiting jobs; the account.
    assert cost(leave, alice, NEW) == 4


def test_account_that_is_deleted_in_the_middle_of_a_request_is_401(alice, monkeypatch):
    from app.db import session
    from app.models import User
    from app.services import users

    def confirm_slowly(user, *_):
        session.rollback()
        session.delete(session.get_one(User, user.id))
        session.commit()
        return users.Confirmed("", None)

    monkeypatch.setattr(users, "confirm", confirm_slowly)
    answer = alice.patch("/api/v1/user", json={"email": "new@example.com", "current_password": "x"})
    assert answer.status_code == 401
