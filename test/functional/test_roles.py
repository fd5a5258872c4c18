"""Operators and admins see and steer everybody's jobs, and nothing else of theirs; the database knows the roles."""

import pytest
from people import Person
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import IntegrityError

from app import db, env, migrate
from app.db import session
from app.models import Job, User
from app.models.user import ROLES

PAST = "2020-01-01T00:00:00Z"
LATER = "2099-01-01T00:00:00Z"


@pytest.fixture(params=["operator", "admin"])
def oscar(client, request) -> Person:
    """Who runs the server."""
    person = Person.sign_up(client, "oscar@example.com")
    session.get_one(User, person.id).role = request.param
    session.commit()
    return person


def job_of(person) -> str:
    answer = person.post("/api/v1/tasks", json={"text": "x", "due_at": LATER})
    return answer.json["reminder_job_id"]


def test_account_shows_its_role(alice, oscar):
    assert alice.get("/api/v1/user").json["role"] == "user"
    assert oscar.get("/api/v1/user").json["role"] in ("operator", "admin")


def test_operator_sees_everybodys_jobs(alice, bob, oscar):
    ids = {job_of(person) for person in (alice, bob, oscar)}
    assert {job["id"] for job in oscar.get("/api/v1/jobs").json["items"]} == ids
    assert all(oscar.get(f"/api/v1/jobs/{job_id}").status_code == 200 for job_id in ids)
    assert len(alice.get("/api/v1/jobs").json["items"]) == 1


def test_operators_list_is_filtered_sorted_and_paged(alice, bob, oscar):
    ids = [job_of(person) for person in (alice, bob, oscar, alice, bob)]
    alice.post("/api/v1/baz", json={"to": 1})
    first = oscar.get("/api/v1/jobs?sort=created_at&page_size=3&type=tasks.remind").json
    token = first["next_page_token"]
    rest = oscar.get(f"/api/v1/jobs?sort=created_at&page_size=3&type=tasks.remind&page_token={token}").json
    assert [job["id"] for job in first["items"] + rest["items"]] == ids
    assert "next_page_token" not in rest


def test_operator_cancels_and_retries_anybodys_job(alice, oscar, work, mails):
    task = alice.post("/api/v1/tasks", json={"text": "x", "due_at": PAST}).json
    job = f"/api/v1/jobs/{task['reminder_job_id']}"
    assert oscar.post(f"{job}/cancel").json["status"] == "canceled"
    assert oscar.post(f"{job}/retry").status_code == 202
    work()
    assert "To: alice@example.com" in mails()[0]
    assert oscar.post(f"{job}/cancel").status_code == 409


def test_other_peoples_jobs_stay_closed_to_users(alice, bob):
    job = f"/api/v1/jobs/{job_of(alice)}"
    answers = [bob.get(job), bob.post(f"{job}/cancel"), bob.post(f"{job}/retry")]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert bob.get("/api/v1/jobs").json == {"items": []}


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_operator_finds_no_tasks_and_tokens_of_others(alice, oscar, method):
    task = alice.post("/api/v1/tasks", json={"text": "x"}).json
    token = alice.post("/api/v1/user/tokens", json={"name": "x", "scopes": ["tasks:read"]}).json
    assert oscar.send(method, f"/api/v1/tasks/{task['id']}", json={"text": "y"}).status_code == 404
    if method in ("GET", "DELETE"):
        assert oscar.send(method, f"/api/v1/user/tokens/{token['id']}").status_code == 404
    for path in ("/api/v1/tasks", "/api/v1/user/tokens"):
        assert oscar.get(path).json == {"items": []}


def test_role_counts_from_the_next_request_on(alice, oscar):
    job = f"/api/v1/jobs/{job_of(alice)}"
    session.get_one(User, oscar.id).role = "user"
    session.commit()
    assert oscar.get(job).status_code == 404


def test_operators_script_needs_the_scope_too(alice, oscar):
    job = f"/api/v1/jobs/{job_of(alice)}"
    secret = oscar.post("/api/v1/user/tokens", json={"name": "x", "scopes": ["jobs:read"]}).json["token"]
    watcher = Person(oscar.client, "", oscar.id, secret)
    assert watcher.get(job).status_code == 200
    assert watcher.post(f"{job}/cancel").json["required_scope"] == "jobs:write"


def test_nobody_gives_himself_a_role(alice):
    for method, path in (("PATCH", "/api/v1/user"), ("POST", "/api/v1/user")):
        answer = alice.send(method, path, json={"role": "admin", "email": "x@example.com", "password": "long enough"})
        assert answer.status_code in (400, 422)
    assert alice.get("/api/v1/user").json["role"] == "user"


def test_database_knows_no_other_role(alice):
    session.get_one(User, alice.id).role = "king"
    with pytest.raises(IntegrityError):
        session.flush()
    session.rollback()


def test_operators_list_costs_two_queries(alice, oscar, queries):
    for _ in range(4):
        job_of(alice)
    queries.clear()
    oscar.get("/api/v1/jobs")
    assert len(queries) == 2, queries


def test_operators_list_follows_an_index(app, oscar):
    query = select(Job).order_by(Job.created_at.desc(), Job.id.desc()).limit(51)
    compiled = query.compile(dialect=session.get_bind().dialect, compile_kwargs={"literal_binds": True})
    sqlite = session.get_bind().dialect.name == "sqlite"
    if not sqlite:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        session.execute(text("SET LOCAL enable_sort = off"))
    plan = str(session.execute(text(f"EXPLAIN {'QUERY PLAN' if sqlite else ''} {compiled}")).all())
    session.rollback()
    assert "ix_jobs_created_at" in plan


# The migration


@pytest.fixture(params=["sqlite", "postgresql"])
def before_roles(request, tmp_path):
    """A database from before there were roles, with an account, its task and its job."""
    url = f"sqlite:///{tmp_path}/old.db" if request.param == "sqlite" else None
    engine = db.connect(env.DATABASE_URL.parse(url or request.getfixturevalue("postgres_server").create_database()))
    migrate.upgrade(engine, "0002")
    moment = "'2026-01-01 00:00:00'"
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO users (id, email, email_key, password_hash, token_version, created_at, updated_at) "
                f"VALUES (7, 'a@x', 'a@x', 'h', 3, {moment}, {moment})"
            )
        )
        connection.execute(
            text(
                "INSERT INTO tasks (id, user_id, text, done, created_at, updated_at) "
                f"VALUES (1, 7, 'x', {'0' if url else 'false'}, {moment}, {moment})"
            )
        )
        zeros = "attempt, charged, crashes, progress_total, progress_completed, progress_failed"
        connection.execute(
            text(
                f"INSERT INTO jobs (id, type, queue, status, args, history, max_attempts, {zeros}, "
                "account_id, run_at, created_at, updated_at) VALUES ('0199aaaabbbb7ccc8dddeeeeeeeeeeee', 't', 'low', "
                f"'queued', '{{}}', '[]', 5, 0, 0, 0, 0, 0, 0, 7, {moment}, {moment}, {moment})"
            )
        )
    yield engine
    engine.dispose()


def counts(engine) -> list[int]:
    with engine.connect() as connection:
        return [connection.scalar(text(f"SELECT count(*) FROM {name}")) for name in ("users", "tasks", "jobs")]


def test_migration_keeps_accounts_and_what_is_theirs(before_roles):
    migrate.upgrade(before_roles)
    assert counts(before_roles) == [1, 1, 1]
    with before_roles.connect() as connection:
        assert connection.execute(text("SELECT role, token_version FROM users")).one() == ("user", 3)
    migrate.downgrade(before_roles, "0002")
    assert counts(before_roles) == [1, 1, 1]
    assert "role" not in [column["name"] for column in inspect(before_roles).get_columns("users")]


def test_roles_are_the_three_of_the_contract():
    assert ROLES == ("user", "operator", "admin")
