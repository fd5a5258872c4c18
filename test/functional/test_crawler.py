"""Every route, asked by everybody: exactly the expected status each time. A route without a line here fails."""

import re
import uuid
from typing import Any

import pytest
from invited import invited, way_out
from itsdangerous import URLSafeTimedSerializer
from people import PASSWORD, Person
from sqlalchemy import update

from app.db import session
from app.models import User

# endpoint → (body, owner, stranger, operator). Operators see everybody's jobs and only their own of everything else.
# A number that no row has, and a job that never was, stand for what is gone.
EXPECTED: dict[str, tuple[Any, int, int, int]] = {
    "users.show": (None, 200, 200, 200),
    "users.update": ({"email": "new@example.com", "current_password": "wrong password"}, 403, 403, 403),
    "users.delete": ({"current_password": "wrong password"}, 403, 403, 403),
    "users.sign_out": (None, 204, 204, 204),
    "tokens.index": (None, 200, 200, 200),
    "tokens.create": ({"name": "script", "scopes": ["tasks:read"]}, 201, 201, 201),
    "tokens.show": (None, 200, 404, 404),
    "tokens.delete": (None, 204, 404, 404),
    "events.index": (None, 200, 200, 200),
    "events.create": ({"name": "x"}, 201, 201, 201),
    "events.show": (None, 200, 404, 404),
    "events.replace": ({"name": "x"}, 200, 404, 404),
    "events.update": ({"name": "x"}, 200, 404, 404),
    "events.delete": (None, 204, 404, 404),
    "guest_lists.read": ({"file": "0" * 64}, 422, 404, 404),  # there is no such file
    "guest_lists.write": ({}, 202, 404, 404),
    "guests.index": (None, 200, 404, 404),
    "guests.create": ({"email": "grace@example.com"}, 201, 404, 404),
    "guests.show": (None, 200, 404, 404),
    "guests.replace": ({"email": "x@example.com"}, 200, 404, 404),
    "guests.update": ({"name": "x"}, 200, 404, 404),
    "guests.delete": (None, 204, 404, 404),
    "tasks.index": (None, 200, 200, 200),
    "tasks.create": ({"text": "x"}, 201, 201, 201),
    "tasks.show": (None, 200, 404, 404),
    "tasks.replace": ({"text": "x"}, 200, 404, 404),
    "tasks.update": ({"text": "x"}, 200, 404, 404),
    "tasks.delete": (None, 204, 404, 404),
    "files.index": (None, 200, 200, 200),
    "files.create": ({}, 201, 201, 201),  # a file like any other
    "files.show": (None, 200, 404, 404),
    "files.replace": ({"name": "x", "type": "text/plain"}, 200, 404, 404),
    "files.update": ({"name": "x"}, 200, 404, 404),
    "files.delete": (None, 204, 404, 404),
    "files.content": (None, 200, 404, 404),
    "files.preview": (None, 404, 404, 404),  # a type without
    "files.link": ({}, 201, 404, 404),
    "campaigns.index": (None, 200, 200, 200),
    "campaigns.create": ({"name": "x"}, 201, 201, 201),
    "campaigns.show": (None, 200, 404, 404),
    "campaigns.replace": ({"name": "x"}, 200, 404, 404),
    "campaigns.update": ({"name": "x"}, 200, 404, 404),
    "campaigns.delete": (None, 204, 404, 404),
    "campaigns.launch": ({}, 409, 404, 404),  # a draft without anything in it
    "campaigns.pause": (None, 409, 404, 404),
    "campaigns.resume": (None, 409, 404, 404),
    "campaigns.cancel": (None, 409, 404, 404),
    "campaigns.retry": ({"states": ["failed"]}, 409, 404, 404),
    "campaigns.preview": ({}, 200, 404, 404),
    "campaigns.invite": (None, 202, 404, 404),
    "recipients.index": (None, 200, 404, 404),
    "invitations.invite": (None, 202, 404, 404),
    "invitations.delete": (None, 204, 404, 404),
    "jobs.index": (None, 200, 200, 200),
    "jobs.show": (None, 200, 404, 200),
    "jobs.cancel": (None, 200, 404, 200),
    "jobs.retry": (None, 409, 404, 409),
    "jobs.events": (None, 200, 404, 200),
    "jobs.result": (None, 409, 404, 409),
    "jobs.delete": (None, 409, 404, 409),
    "v0_tasks.index": (None, 200, 200, 200),
    "v0_tasks.create": ({"text": "x"}, 201, 201, 201),
    "v0_tasks.replace": ({"text": "x"}, 200, 404, 404),
    "v0_tasks.delete": (None, 200, 404, 404),
    "v0_files.index": (None, 200, 200, 200),
    "v0_files.create": ({"v": 0}, 201, 201, 201),
    "v0_files.show": (None, 200, 404, 404),
    "v0_files.replace": ({"file_name": "x", "file_type": "text/plain"}, 201, 404, 404),
    "v0_files.delete": (None, 201, 404, 404),
    "v0_campaigns.index": (None, 200, 200, 200),
    "v0_campaigns.create": ({"name": "x"}, 201, 201, 201),
    "v0_campaigns.show": (None, 200, 404, 404),
    "foo.foo_v1": (None, 200, 200, 200),
    "foo.foo_v2": (None, 200, 200, 200),
    "bar.create": ({"name": "x"}, 200, 200, 200),
    "baz.create": ({}, 202, 202, 202),
    "fail.index": (None, 500, 500, 500),
}
PUBLIC: dict[str, tuple[Any, int]] = {
    "root.index": (None, 200),
    "root.healthz": (None, 200),
    "root.readyz": (None, 503),  # no relay or worker runs beside this test
    "root.problem": (None, 200),
    "docs.show": (None, 200),
    "links.show": (None, 200),
    "invitations.show": (None, 200),
    "invitations.answer": ({"answer": "accepted"}, 200),
    "unsubscribe.show": (None, 200),
    "unsubscribe.answer": (None, 200),
    "docs.browse": (None, 200),
    "users.create": ({"email": "carol@example.com", "password": PASSWORD}, 201),
    "users.authenticate": ({"email": "carol@example.com", "password": "wrong password"}, 401),
    "passwords.create": ({"email": "carol@example.com"}, 202),
    "passwords.confirm": ({"code": "acr_" + "x" * 43, "password": PASSWORD}, 422),
}


def routes(app) -> list[tuple[str, str, str]]:
    """(method, path pattern, endpoint) of every route but the operators' pages, which have tests of their own."""
    return [
        (method, rule.rule, rule.endpoint)
        for rule in app.url_map.iter_rules()
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"})
        if not rule.rule.startswith(("/internal", "/static"))
    ]


def path_of(rule: str, owner: Person) -> str:
    """The path to something that the owner has, made new for each request."""
    task = owner.post("/api/v1/tasks", json={"text": "x", "due_at": "2099-01-01T00:00:00Z"}).json
    path = rule.replace("<int:task_id>", str(task["id"])).replace("<slug>", "not-found")
    path = path.replace("<uuid:job_id>", task["reminder_job_id"])
    if "<int:token_id>" in path:
        made = owner.post("/api/v1/user/tokens", json={"name": uuid.uuid4().hex, "scopes": ["tasks:read"]}).json
        path = path.replace("<int:token_id>", str(made["id"]))
    if "<int:event_id>" in path or "<int:guest_id>" in path:
        event = owner.post("/api/v1/events", json={"name": "x"}).json["id"]
        guest = owner.post(f"/api/v1/events/{event}/guests", json={"email": "ana@example.com"}).json["id"]
        path = path.replace("<int:event_id>", str(event)).replace("<int:guest_id>", str(guest))
    if path.startswith(("/invitations/", "/unsubscribe/")):
        path = {"/invitations/<token>": invited(owner).path, "/unsubscribe/<token>": way_out(owner)}[path]
    if "<file_hash>" in path or "<token>" in path:
        file = owner.post("/api/v1/files", data=b"\0" + uuid.uuid4().bytes).json
        link = owner.post(f"/api/v1/files/{file['sha256']}/links", json={}).json["url"]
        path = path.replace("<file_hash>", file["sha256"]).replace("<token>", link.rpartition("/")[2])
    if "campaign_id>" in path:
        campaign = owner.post("/api/v1/campaigns", json={"name": "x"}).json
        path = path.replace("<int:campaign_id>", str(campaign["id"])).replace("<campaign_id>", str(campaign["id"]))
    assert "<" not in path, f"the crawler does not know how to fill {rule}"
    return path


def with_role(client, email: str, role: str) -> Person:
    person = Person.sign_up(client, email)
    session.execute(update(User).where(User.id == person.id).values(role=role))
    session.commit()
    return person


def renewed(person: Person) -> Person:
    """Signed in again."""
    credentials = {"email": person.email, "password": PASSWORD}
    answer = person.client.post("/api/v1/authenticate", json=credentials)
    return Person(person.client, person.email, person.id, answer.json["token"])


def test_every_route_has_its_line(app):
    assert {endpoint for _, _, endpoint in routes(app)} == {*EXPECTED, *PUBLIC}


@pytest.mark.parametrize("kind", ["no token", "expired", "forged", "another server's", "of nobody"])
def test_closed_routes_want_a_good_token(app, client, alice, settings, kind):
    signer = URLSafeTimedSerializer(settings.secret_key, salt="accepted.token")
    old = signer.make_signer(signer.salt)
    old.get_timestamp = lambda: 1_700_000_000
    tokens = {
        "no token": "",
        "expired": old.sign(signer.dump_payload([alice.id, 1])).decode(),
        "forged": alice.token[:-3] + "abc",
        "another server's": URLSafeTimedSerializer("x" * 32, salt="accepted.token").dumps([alice.id, 1]),
        "of nobody": signer.dumps([999_999, 1]),
    }
    for method, rule, endpoint in routes(app):
        if endpoint in PUBLIC:
            continue
        path = re.sub(r"<int:\w+>", "1", rule)
        path = path.replace("<uuid:job_id>", str(uuid.uuid4())).replace("<file_hash>", "0" * 64)
        answer = client.open(path, method=method, json={}, headers={"Authorization": tokens[kind]})
        assert answer.status_code == 401, f"{method} {path} with {kind}"


@pytest.mark.parametrize("who", ["owner", "stranger", "operator", "admin"])
def test_everybody_gets_exactly_what_is_theirs(app, client, alice, bob, who):
    caller = {"owner": alice, "stranger": bob}.get(who) or with_role(client, f"{who}@example.com", who)
    for method, rule, endpoint in routes(app):
        if endpoint in PUBLIC:
            continue
        body, *statuses = EXPECTED[endpoint]
        path = path_of(rule, alice)
        with caller.send(method, path, json=body) as answer:
            pass
        if endpoint == "users.sign_out":
            alice, caller = renewed(alice), renewed(caller)
        expected = statuses[{"owner": 0, "stranger": 1}.get(who, 2)]
        assert answer.status_code == expected, f"{who}: {method} {rule}: {answer.text}"


def test_public_routes_answer_without_a_token(app, client, alice):
    for method, rule, endpoint in routes(app):
        if endpoint in PUBLIC:
            body, expected = PUBLIC[endpoint]
            with client.open(path_of(rule, alice), method=method, json=body) as answer:
                assert answer.status_code == expected, f"{method} {rule}: {answer.text}"
