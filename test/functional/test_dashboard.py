"""The operators' dashboard is closed to everybody else, and changed only by its own pages."""

from collections.abc import Callable

import pytest
from dashboards import DATA, OTHERS, PAGES, ROOT, basic, failed_job
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from rq import Queue

from app import create_app
from app.config import Settings


@pytest.fixture
def database_url(migrated: Callable[[str], str]) -> str:
    return migrated("sqlite")  # nothing here asks the database


@pytest.fixture
def operator(settings: Settings) -> dict[str, str]:
    return basic(settings.supervisor_user, settings.supervisor_password)


@pytest.mark.parametrize("path", [*PAGES, *DATA, *OTHERS, "no/such/page"])
@pytest.mark.parametrize("headers", [{}, basic("operator", "wrong"), basic("x", ""), {"Authorization": "Basic !!"}])
def test_stranger_meets_a_closed_door(client: FlaskClient, path: str, headers: dict[str, str]):
    answer = client.get(ROOT + path, headers=headers)
    assert answer.status_code == 401
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="Accepted operators", charset="UTF-8"'


def test_stranger_cannot_change_anything(client: FlaskClient, redis: Redis):
    job = failed_job(redis)
    for path in (f"job/{job.id}/requeue", "requeue/default", f"job/{job.id}/delete", "queue/default/failed/empty"):
        assert client.post(ROOT + path).status_code == 401
    assert Queue("default", connection=redis).failed_job_registry.count == 1


def test_account_token_does_not_open_it(client: FlaskClient):
    body = {"email": "alice@example.com", "password": "correct horse battery"}
    token = client.post("/api/v1/user", json=body).json["token"]
    assert client.get(ROOT, headers={"Authorization": f"Bearer {token}"}).status_code == 401


@pytest.mark.parametrize("path", [*PAGES, *DATA, *OTHERS[:2]])
def test_operator_sees_every_page(client: FlaskClient, operator: dict[str, str], path: str):
    with client.get(ROOT + path, headers=operator, follow_redirects=True) as answer:
        assert answer.status_code == 200


def test_second_app_in_the_same_process_works_too(settings: Settings, app: Flask, operator: dict[str, str]):
    other = create_app(settings)
    for each in (app, other):
        assert each.test_client().get(ROOT + DATA[0], headers=operator).status_code == 200
    other.extensions["accepted.engine"].dispose()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "http://localhost"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
    ],
)
def test_only_our_own_pages_change_something(client, operator, redis, headers, status):
    job = failed_job(redis)
    assert client.post(f"{ROOT}job/{job.id}/requeue", headers=operator | headers).status_code == status
    assert Queue("default", connection=redis).failed_job_registry.count == (0 if status == 200 else 1)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_requeues_nothing(client, operator, redis, method):
    failed_job(redis)
    answer = client.open(ROOT + "requeue/default", method=method, headers=operator)
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
    assert Queue("default", connection=redis).failed_job_registry.count == 1


def test_operator_requeues_all_that_is_still_there(client, operator, redis):
    failed_job(redis), failed_job(redis)
    redis.delete(failed_job(redis).key)  # its record has expired, its place in the list has not
    answer = client.post(ROOT + "requeue/default", headers=operator)
    assert answer.json == {"status": "OK", "count": 2, "left": 0}
    assert Queue("default", connection=redis).count == 2


def test_nothing_is_deleted(client, operator, redis):
    job = failed_job(redis)
    Queue("default", connection=redis).push_job_id(job.id)
    before = redis.keys()
    for path in (f"job/{job.id}/delete", "queue/default/failed/empty", "queue/default/queued/empty"):
        assert client.post(ROOT + path, headers=operator).status_code == 403
    assert sorted(redis.keys()) == sorted(before)
    assert b"delete-job-btn" not in client.get(f"{ROOT}0/view/job/{job.id}", headers=operator).data.split(b"<script")[0]


def test_job_that_did_not_fail_cannot_be_requeued(client, operator, redis):
    job = Queue("default", connection=redis).enqueue("tasks.remind")
    assert client.post(f"{ROOT}job/{job.id}/requeue", headers=operator).status_code == 409
    assert client.post(f"{ROOT}job/nobody/requeue", headers=operator).status_code == 404
