"""Named tokens for scripts: with scopes, perhaps an end, and a secret that is shown once."""

import json
import logging
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from people import PASSWORD, Person
from sqlalchemy import event, select, text, update
from sqlalchemy.exc import OperationalError

from app.db import session
from app.helpers import auth
from app.helpers.logs import JsonFormatter, TextFormatter
from app.helpers.scrub import Scrubber
from app.helpers.tokens import API_TOKEN, RESET_CODE, digest, new_secret
from app.models import ApiToken, Job
from app.models.api_token import SCOPES
from app.models.base import now

LATER = "2099-01-01T00:00:00Z"


def make(person, *scopes, **fields):
    body = {"name": "Backup script", "scopes": list(scopes or SCOPES), **fields}
    return person.post("/api/v1/user/tokens", json=body)


def script(person, *scopes, **fields) -> Person:
    """Somebody with a named token of this person's."""
    answer = make(person, *scopes, **fields)
    assert answer.status_code == 201, answer.text
    return Person(person.client, person.email, person.id, answer.json["token"])


def kept() -> ApiToken:
    session.rollback()
    return session.scalars(select(ApiToken).execution_options(populate_existing=True)).one()


# Making one


def test_token_is_made_and_its_secret_shown_once(alice):
    answer = make(alice, "tasks:write", "tasks:read", expires_at=LATER)
    assert answer.status_code == 201
    made = answer.json
    secret = made.pop("token")
    assert re.fullmatch(r"acc_[\w-]{43}", secret)
    assert (made["name"], made["scopes"], made["expires_at"]) == ("Backup script", ["tasks:read", "tasks:write"], LATER)
    assert made["last_used_at"] is None
    shown = alice.get(answer.headers["Location"])
    assert (shown.json, shown.headers["ETag"]) == (made, answer.headers["ETag"])
    assert alice.get("/api/v1/user/tokens").json == {"items": [made]}


def test_only_its_hash_is_stored(alice):
    secret = make(alice).json["token"]
    row = session.execute(text("SELECT * FROM api_tokens")).mappings().one()
    assert row["token_hash"] == digest(secret)
    assert secret not in repr(row)


def test_repeated_request_does_not_show_the_secret_again(alice):
    first, second = (
        alice.post(
            "/api/v1/user/tokens", json={"name": "x", "scopes": ["user:read"]}, headers={"Idempotency-Key": "key"}
        )
        for _ in range(2)
    )
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json["id"] == second.json["id"]
    assert second.json["token"] is None


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": None}, "#/name"),
        ({"name": ""}, "#/name"),
        ({"name": " \n"}, "#/name"),
        ({"name": "x" * 101}, "#/name"),
        ({"scopes": []}, "#/scopes"),
        ({"scopes": None}, "#/scopes"),
        ({"scopes": "tasks:read"}, "#/scopes"),
        ({"scopes": ["tasks:read", "tasks:read"]}, "#/scopes"),
        ({"scopes": ["tasks:read", "sign-in"]}, "#/scopes/1"),
        ({"scopes": ["any"]}, "#/scopes/0"),
        ({"scopes": ["*"]}, "#/scopes/0"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "#/expires_at"),
        ({"expires_at": "tomorrow"}, "#/expires_at"),
        ({"expires_at": 5}, "#/expires_at"),
        ({"token": "acc_mine"}, "#/token"),
        ({"user_id": 1}, "#/user_id"),
    ],
)
def test_bad_token_is_422_and_not_made(alice, fields, pointer):
    answer = make(alice, **{"scopes": ["tasks:read"], **fields})
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json["errors"]]
    assert alice.get("/api/v1/user/tokens").json == {"items": []}


# Looking and deleting


def test_deleted_token_ends_at_once(alice):
    answer = make(alice)
    holder = Person(alice.client, "", alice.id, answer.json["token"])
    assert holder.get("/api/v1/tasks").status_code == 200
    assert alice.delete(answer.headers["Location"]).status_code == 204
    assert holder.get("/api/v1/tasks").status_code == 401
    assert alice.delete(answer.headers["Location"]).status_code == 404
    assert alice.get("/api/v1/user/tokens").json == {"items": []}


def test_deletion_heeds_if_match(alice):
    answer = make(alice)
    headers = {"If-Match": '"other"'}
    assert alice.delete(answer.headers["Location"], headers=headers).status_code == 412
    headers = {"If-Match": answer.headers["ETag"]}
    assert alice.delete(answer.headers["Location"], headers=headers).status_code == 204


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_stranger_finds_nothing(alice, bob, method):
    where = make(alice).headers["Location"]
    assert bob.send(method, where).status_code == 404
    assert bob.get("/api/v1/user/tokens").json == {"items": []}
    assert alice.get(where).status_code == 200


@pytest.mark.parametrize("token_id", ["0", "999999", "9223372036854775808", "x", "-1"])
def test_unknown_id_is_404(alice, token_id):
    for method in ("GET", "DELETE"):
        assert alice.send(method, f"/api/v1/user/tokens/{token_id}").status_code == 404


def test_list_is_paged_and_refuses_what_it_does_not_know(alice):
    made = [make(alice, name=str(number)).json["id"] for number in range(5)]
    first = alice.get("/api/v1/user/tokens?page_size=3&sort=created_at").json
    rest = alice.get(f"/api/v1/user/tokens?page_size=3&sort=created_at&page_token={first['next_page_token']}").json
    assert [token["id"] for token in first["items"] + rest["items"]] == made
    for query in ("sort=token_hash", "sort=name", "user_id=1", "token_hash__startswith=a", "page_size=-1"):
        assert alice.get(f"/api/v1/user/tokens?{query}").status_code == 422


# What a token opens


def test_token_is_taken_bare_and_with_bearer(alice, client):
    secret = make(alice).json["token"]
    for form in ("{}", "Bearer {}", "bearer  {}"):
        assert client.get("/api/v1/user", headers={"Authorization": form.format(secret)}).status_code == 200


def test_expired_token_is_401(alice):
    holder = script(alice, expires_at=(datetime.now(UTC) + timedelta(minutes=1)).isoformat())
    assert holder.get("/api/v1/user").status_code == 200
    session.execute(update(ApiToken).values(expires_at=now()))
    session.commit()
    answer = holder.get("/api/v1/user")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("change", [str.upper, str.lower, lambda s: s[:-1], lambda s: s + "x", lambda s: s[4:]])
def test_changed_token_is_401(alice, client, change):
    secret = make(alice).json["token"]
    for forged in (change(secret), "acc_", "acc_é"):
        headers = {"Authorization": f"Bearer {forged}".encode().decode("latin-1")}
        assert client.get("/api/v1/user", headers=headers).status_code == 401


def test_scope_that_is_missing_is_403_and_named(alice):
    holder = script(alice, "tasks:read")
    assert holder.get("/api/v1/tasks").status_code == 200
    answer = holder.post("/api/v1/tasks", json={"text": "x"})
    assert answer.status_code == 403
    assert answer.json["type"].endswith("/problems/forbidden")
    assert answer.json["required_scope"] == "tasks:write"
    assert alice.get("/api/v1/tasks").json == {"items": []}


def routes(app):
    """(endpoint, method, path, what its view says) of each route of the API that takes a token."""
    for rule in app.url_map.iter_rules():
        if auth.is_open(app, rule.endpoint):
            continue
        path = re.sub(r"<int:\w+>", "999999", rule.rule)
        path = re.sub(r"<uuid:\w+>", "0199aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee", path)
        for method in sorted(rule.methods - {"OPTIONS", "HEAD"}):
            yield rule.endpoint, method, path, auth.scope_of(app, rule.endpoint)


def test_every_route_says_which_scope_it_needs(app):
    assert [endpoint for endpoint, _, _, scope in routes(app) if scope is None] == []


def test_every_route_refuses_tokens_without_its_scope(app, alice):
    others = {scope: script(alice, *(one for one in SCOPES if one != scope)) for scope in SCOPES}
    everything = script(alice, *SCOPES)
    for endpoint, method, path, scope in routes(app):
        if scope == auth.ANY:
            continue
        holder = others.get(scope, everything)
        answer = holder.send(method, path, json={})
        assert (answer.status_code, answer.json.get("required_scope", scope)) == (403, scope), endpoint


def test_every_route_takes_tokens_with_its_scope_alone(app, alice):
    holders = {scope: script(alice, scope) for scope in SCOPES}
    for endpoint, method, path, scope in routes(app):
        if scope in SCOPES and endpoint != "users.sign_out":
            answer = holders[scope].send(method, path, json={})
            assert "required_scope" not in (answer.json or {}), endpoint
            assert answer.status_code != 401, endpoint


def test_view_that_says_nothing_is_closed_to_named_tokens(app, alice):
    app.view_functions["tasks.index"].scope = None
    try:
        answer = script(alice).get("/api/v1/tasks")
        assert (answer.status_code, answer.json["required_scope"]) == (403, "sign-in")
        assert alice.get("/api/v1/tasks").status_code == 200
    finally:
        app.view_functions["tasks.index"].scope = "tasks:read"


def test_scope_that_does_not_exist_is_refused_when_the_view_is_made():
    with pytest.raises(ValueError, match="tasks:raed"):
        auth.needs("tasks:raed")


def test_named_token_makes_no_other(alice):
    answer = make(script(alice), "tasks:read")
    assert (answer.status_code, answer.json["required_scope"]) == (403, "sign-in")
    assert len(alice.get("/api/v1/user/tokens").json["items"]) == 1


def test_account_is_changed_with_the_scope_and_the_password_only(alice):
    reader, writer = script(alice, "user:read"), script(alice, "user:write")
    body = {"email": "x@example.com", "current_password": PASSWORD}
    assert reader.patch("/api/v1/user", json=body).json["required_scope"] == "user:write"
    assert writer.patch("/api/v1/user", json=body | {"current_password": "wrong"}).status_code == 403
    assert writer.patch("/api/v1/user", json=body).status_code == 200
    assert writer.delete("/api/v1/user", json={"current_password": "wrong"}).status_code == 403
    assert alice.get("/api/v1/user").json["email"] == "x@example.com"


def test_named_tokens_outlive_sign_out_and_a_changed_password(alice):
    holder = script(alice)
    alice.patch("/api/v1/user", json={"current_password": PASSWORD, "password": "a brand new password"})
    assert holder.get("/api/v1/user").status_code == 200
    assert holder.post("/api/v1/user/sign-out").status_code == 204
    assert holder.get("/api/v1/user").status_code == 200


def test_version_0_refuses_in_its_own_shape(alice):
    answer = script(alice, "tasks:read").post("/task", json={"text": "x"})
    assert answer.status_code == 403
    assert set(answer.json) == {"error"}


# When it was used


def test_use_is_noted_once_a_minute(alice, queries):
    holder = script(alice)
    queries.clear()
    holder.get("/api/v1/tasks")
    assert len(queries) == 3  # who calls, the list, and the note
    first = kept().last_used_at
    assert first is not None
    queries.clear()
    holder.get("/api/v1/tasks")
    assert len(queries) == 2
    assert kept().last_used_at == first
    session.execute(update(ApiToken).values(last_used_at=now() - timedelta(minutes=2)))
    session.commit()
    holder.get("/api/v1/tasks")
    assert kept().last_used_at >= first


@pytest.mark.parametrize("path", ["/api/v1/tasks", "/api/v1/tasks/999999", "/api/v1/tasks?sort=x"])
def test_refused_request_is_a_use_too(alice, path):
    script(alice, "user:read", "tasks:read").get(path)
    assert kept().last_used_at is not None


def test_request_without_the_scope_is_a_use_too(alice):
    assert script(alice, "user:read").get("/api/v1/tasks").status_code == 403
    assert kept().last_used_at is not None


def test_reader_takes_no_write_lock_before_it_is_answered(app, alice):
    """On SQLite a transaction that reads first and writes later may be refused: the note has one of its own."""
    holder = script(alice)
    seen: list[str] = []
    engine = app.extensions["accepted.engine"]

    def note(_connection, _cursor, statement: str, *_rest) -> None:
        seen.append(statement if statement.startswith("BEGIN") else statement.split(maxsplit=1)[0])

    event.listen(engine, "before_cursor_execute", note)
    event.listen(engine, "commit", lambda _: seen.append("COMMIT"))
    holder.get("/api/v1/tasks")
    event.remove(engine, "before_cursor_execute", note)
    begins = ["BEGIN"] if engine.dialect.name == "sqlite" else []
    writes = ["BEGIN IMMEDIATE"] if begins else []
    assert seen == [*begins, "SELECT", "SELECT", "COMMIT", *writes, "UPDATE", "COMMIT"]


def test_note_that_fails_does_not_fail_the_answer(alice, monkeypatch):
    def fail(_token_id: int) -> None:
        raise OperationalError("UPDATE", {}, Exception("database is locked"))

    holder = script(alice)
    monkeypatch.setattr(ApiToken, "note_use", fail)
    assert holder.get("/api/v1/tasks").status_code == 200
    assert kept().last_used_at is None


# What it costs, and what it shows


def test_each_request_costs_as_many_queries_as_it_should(alice, queries):
    def cost(method, path, **options) -> int:
        queries.clear()
        assert alice.send(method, path, **options).status_code < 300
        return len(queries)

    for _ in range(5):
        made = make(alice).json
    assert cost("POST", "/api/v1/user/tokens", json={"name": "x", "scopes": ["user:read"]}) == 2
    assert cost("GET", "/api/v1/user/tokens") == 2
    assert cost("GET", f"/api/v1/user/tokens/{made['id']}") == 2
    assert cost("DELETE", f"/api/v1/user/tokens/{made['id']}") == 3


def test_job_that_a_script_asks_for_belongs_to_the_account(alice):
    holder = script(alice, "jobs:write", "jobs:read")
    job = holder.post("/api/v1/baz", json={"to": 1})
    assert job.status_code == 202
    assert session.get_one(Job, job.json["id"]).account_id == alice.id
    assert alice.get(job.headers["Location"]).status_code == 200


@given(st.sampled_from([API_TOKEN, RESET_CODE]), st.text(max_size=20), st.text(max_size=20))
def test_secret_is_known_by_its_looks(prefix, before, after):
    secret = new_secret(prefix)
    found = json.dumps(Scrubber().data({"message": f"{before} {secret} {after}", "list": [f"'{secret}'"]}))
    assert secret[4:] not in found


@pytest.mark.parametrize("formatter", [TextFormatter, JsonFormatter])
def test_secret_in_a_log_line_is_blanked(formatter):
    secret = new_secret(API_TOKEN)
    line = formatter().format(logging.makeLogRecord({"msg": f"token={secret} was refused"}))
    assert secret[4:] not in line
    assert "was refused" in line


def test_secrets_differ():
    assert len({new_secret(API_TOKEN) for _ in range(1000)}) == 1000
