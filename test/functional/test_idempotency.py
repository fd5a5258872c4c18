"""`Idempotency-Key`: the same request again gets the first answer, and the work is done once."""

import random
import threading

import pytest
from people import PASSWORD, Person
from sqlalchemy import func, select

from app.db import session
from app.models import IdempotencyKey, Job, Task


def post(person, key, body=None, path="/api/v1/tasks"):
    return person.post(path, json=body or {"text": "Once"}, headers={"Idempotency-Key": key})


def count(model) -> int:
    session.rollback()
    return session.scalar(select(func.count()).select_from(model))


@pytest.mark.parametrize(
    "key", ["k", '"k"', '"with space and \\" quote"', "x" * 255, "550e8400-e29b-41d4-a716-446655440000"]
)
def test_same_request_again_gets_the_first_answer(alice, key):
    first, second = post(alice, key), post(alice, key)
    assert first.status_code == second.status_code == 201
    assert first.data == second.data
    assert first.headers["Location"] == second.headers["Location"]
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert count(Task) == 1


def test_text_that_looks_like_a_token_is_text(alice):
    first, second = (post(alice, "k", {"text": "token"}) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json == second.json


def test_bare_and_quoted_keys_are_the_same(alice):
    assert post(alice, "k").json == post(alice, '"k"').json


def test_order_of_fields_does_not_matter(alice):
    first = post(alice, "k", {"text": "a", "done": True})
    assert post(alice, "k", {"done": True, "text": "a"}).data == first.data


def test_job_is_made_once(alice):
    answers = [post(alice, "k", {"to": 3}, "/api/v1/baz") for _ in range(3)]
    assert {answer.json["id"] for answer in answers} == {answers[0].json["id"]}
    assert {answer.status_code for answer in answers} == {202}
    assert count(Job) == 1


def test_other_body_with_the_same_key_is_refused(alice):
    post(alice, "k")
    answer = post(alice, "k", {"text": "Twice"})
    assert answer.status_code == 422
    assert answer.json["type"].endswith("/problems/idempotency-key-reused")
    assert count(Task) == 1


def test_keys_belong_to_an_account_and_a_route(alice, bob):
    assert post(alice, "k").json["id"] != post(bob, "k").json["id"]
    assert post(alice, "k", {"to": 3}, "/api/v1/baz").status_code == 202


@pytest.mark.parametrize("key", ["", " ", '""', "x" * 256, '"' + "x" * 256 + '"', "a b", '"open', "a\tb", "k\u00e4"])
def test_bad_key_is_refused(alice, key):
    answer = post(alice, key.encode().decode("latin-1"))
    assert answer.status_code == 400
    assert answer.json["type"].endswith("/problems/idempotency-key-invalid")
    assert count(Task) == 0


def test_refusal_leaves_the_key_free(alice, client):
    assert post(alice, "k", {"text": ""}).status_code == 422
    assert client.post("/api/v1/tasks", json={"text": "x"}, headers={"Idempotency-Key": "k"}).status_code == 401
    assert post(alice, "k").status_code == 201


def test_sign_up_sent_twice_makes_one_account_and_stores_no_token(client):
    body = {"email": "carol@example.com", "password": PASSWORD}
    answers = [client.post("/api/v1/user", json=body, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json["id"] == answers[1].json["id"]
    carol = Person(client, "", answers[1].json["id"], answers[1].json["token"])
    assert carol.get("/api/v1/user").status_code == 200
    session.rollback()
    assert answers[0].json["token"] not in session.scalars(select(IdempotencyKey.body)).one()
    stranger = {"email": "carol@example.com", "password": "another password"}
    assert client.post("/api/v1/user", json=stranger, headers={"Idempotency-Key": "k"}).status_code == 409


def test_sign_up_replayed_after_the_sessions_were_ended_opens_nothing(client):
    body = {"email": "carol@example.com", "password": PASSWORD}
    first = client.post("/api/v1/user", json=body, headers={"Idempotency-Key": "k"}).json
    carol = Person(client, "", first["id"], first["token"])
    assert carol.post("/api/v1/user/sign-out").status_code == 204
    again = client.post("/api/v1/user", json=body, headers={"Idempotency-Key": "k"}).json
    assert again["id"] == first["id"]
    assert Person(client, "", again["id"], again["token"]).get("/api/v1/user").status_code == 401


def test_requests_at_once_do_the_work_once(app, alice):
    """A client that lost answers sends again, several at a time."""
    generator = random.Random(7)
    plan = [(key, copy) for key in range(25) for copy in range(generator.randint(1, 5))]
    generator.shuffle(plan)
    answers: dict[int, set] = {}
    lock = threading.Lock()

    def send(share) -> None:
        mine = Person(app.test_client(), alice.email, alice.id, alice.token)
        for key, _copy in share:
            answer = post(mine, f"key-{key}", {"text": f"Task {key}", "due_at": "2099-01-01T00:00:00Z"})
            with lock:
                answers.setdefault(key, set()).add((answer.status_code, answer.data))

    threads = [threading.Thread(target=send, args=(plan[part::4],)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(len(found) == 1 for found in answers.values()), answers
    assert {status for found in answers.values() for status, _ in found} == {201}
    assert count(Task) == count(Job) == count(IdempotencyKey) == 25


def test_old_keys_are_forgotten(alice, work, monkeypatch):
    from datetime import timedelta

    from app.queue import enqueue
    from app.workers import idempotency

    post(alice, "k")
    monkeypatch.setattr(idempotency, "KEPT", timedelta(0))
    enqueue("idempotency.forget")
    session.commit()
    work()
    assert count(IdempotencyKey) == 0
