"""Signing up, signing in, and the token on every request."""

import base64
import json
import time

import pytest
from itsdangerous import URLSafeTimedSerializer
from people import PASSWORD, Person
from sqlalchemy import select

from app.db import session
from app.models import User


def test_sign_up_gives_an_id_and_a_token(client):
    answer = client.post("/api/v1/user", json={"email": "Alice@Example.com", "password": PASSWORD})
    assert answer.status_code == 201
    assert set(answer.json) == {"id", "token"}
    headers = {"Authorization": f"Bearer {answer.json['token']}"}
    shown = client.get("/api/v1/user", headers=headers).json
    assert shown["id"] == answer.json["id"]
    assert shown["email"] == "Alice@Example.com"
    assert "password" not in json.dumps(shown)


@pytest.mark.parametrize("email", ["alice@example.com", "ALICE@example.COM"])
def test_second_account_with_the_same_address_is_refused(alice, client, email):
    answer = client.post("/api/v1/user", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 409
    assert answer.json["type"].endswith("/problems/email-in-use")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/email"),
        ({"email": "alice@example.com"}, "#/password"),
        ({"email": "alice", "password": PASSWORD}, "#/email"),
        ({"email": "a@b@example.com", "password": PASSWORD}, "#/email"),
        ({"email": "a\r\nb@example.com", "password": PASSWORD}, "#/email"),
        ({"email": "a" * 250 + "@example.com", "password": PASSWORD}, "#/email"),
        ({"email": "a\0@example.com", "password": PASSWORD}, "#/email"),
        ({"email": "\u0390" * 64 + "@" + "a" * 60 + ".com", "password": PASSWORD}, "#/email"),  # three times as long
        ({"email": None, "password": PASSWORD}, "#/email"),
        ({"email": ["alice@example.com"], "password": PASSWORD}, "#/email"),
        ({"email": "alice@example.com", "password": "short"}, "#/password"),
        ({"email": "alice@example.com", "password": "x" * 129}, "#/password"),
        ({"email": "alice@example.com", "password": 12345678}, "#/password"),
        ({"email": "alice@example.com", "password": PASSWORD, "role": "admin"}, "#/role"),
    ],
)
def test_bad_sign_up_is_400_and_makes_no_account(client, body, pointer):
    answer = client.post("/api/v1/user", json=body)
    assert answer.status_code == answer.json["status"] == 400
    assert answer.json["type"].endswith("/problems/validation-error")
    assert pointer in [error["pointer"] for error in answer.json["errors"]]
    assert session.scalars(select(User)).all() == []


def test_authenticate_gives_a_token_whatever_the_case_of_the_address(alice, client):
    answer = client.post("/api/v1/authenticate", json={"email": "ALICE@EXAMPLE.COM", "password": PASSWORD})
    assert answer.status_code == 200
    assert answer.json["id"] == alice.id
    assert Person(client, "", alice.id, answer.json["token"]).get("/api/v1/user").status_code == 200


def test_unknown_address_and_wrong_password_are_answered_alike(alice, client):
    answers = [
        client.post("/api/v1/authenticate", json={"email": email, "password": "wrong password"})
        for email in (alice.email, "nobody@example.com")
    ]
    assert [answer.status_code for answer in answers] == [401, 401]
    bodies = [{**answer.json, "request_id": None} for answer in answers]
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize("form", ["{}", "Bearer {}", "bearer {}", "BEARER  {}"])
def test_token_is_taken_bare_and_with_bearer(alice, client, form):
    answer = client.get("/api/v1/user", headers={"Authorization": form.format(alice.token)})
    assert answer.status_code == 200


def _jwt(header: dict, payload: dict, signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(payload).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


FORGED = {
    "none": "",
    "bearer alone": "Bearer",
    "basic": "Basic YWxpY2U6eA==",
    "garbage": "Bearer x",
    "three parts": "Bearer a.b.c",
    "two words": "Bearer a b",
    "jwt without algorithm": "Bearer " + _jwt({"alg": "none"}, {"sub": 1, "id": 1, "user_id": 1}),
    "jwt": "Bearer " + _jwt({"alg": "HS256"}, {"sub": 1}, b"signature"),
    "long": "Bearer " + "x" * 20_000,
    "not ascii": "Bearer \u00e9\u00e8",
}


@pytest.mark.parametrize("header", FORGED.values(), ids=FORGED)
def test_forged_token_is_refused(alice, client, header):
    answer = client.get("/api/v1/tasks", headers={"Authorization": header.encode().decode("latin-1")})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json["type"].endswith("/problems/unauthenticated")


def test_changed_token_is_refused(alice, client):
    payload, moment, signature = alice.token.split(".")
    other = base64.urlsafe_b64encode(b"[2,1]").decode().rstrip("=")
    for token in (f"{other}.{moment}.{signature}", f"{payload}.{moment}.{signature[::-1]}", f"{payload}.{moment}"):
        assert client.get("/api/v1/user", headers={"Authorization": token}).status_code == 401


def test_token_signed_with_another_secret_is_refused(alice, client):
    token = URLSafeTimedSerializer("another secret", salt="accepted.token").dumps([alice.id, 1])
    assert client.get("/api/v1/user", headers={"Authorization": token}).status_code == 401


def test_token_expires(alice, client, settings, monkeypatch):
    later = time.time() + settings.token_days * 86400 + 2
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: later)
    assert alice.get("/api/v1/user").status_code == 401


def test_ended_tokens_and_deleted_accounts_are_refused(alice, bob, client):
    session.get_one(User, alice.id).token_version += 1
    session.delete(session.get_one(User, bob.id))
    session.commit()
    assert alice.get("/api/v1/user").status_code == 401
    assert bob.get("/api/v1/user").status_code == 401


def test_passwords_are_stored_as_argon2_hashes(alice):
    stored = session.get_one(User, alice.id).password_hash
    session.rollback()
    assert stored.startswith("$argon2id$")
    assert PASSWORD not in stored
