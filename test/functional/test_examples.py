"""The worked examples: each teaches one idea, needs a token, and is off in production."""

import dataclasses

import pytest

from app import create_app


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/foo"),
        ("GET", "/api/v2/foo"),
        ("POST", "/api/v1/bar"),
        ("POST", "/api/v1/baz"),
        ("GET", "/api/v1/fail"),
    ],
)
def test_token_is_needed(client, method, path):
    assert client.open(path, method=method).status_code == 401


def test_foo_differs_by_version(alice):
    assert alice.get("/api/v1/foo").json["version"] == 1
    assert alice.get("/api/v2/foo").json["version"] == 2


def test_bar_checks_its_body(alice):
    assert alice.post("/api/v1/bar", json={"name": "Ada", "age": 36}).json == {"hello": "Ada"}
    answer = alice.post("/api/v1/bar", json={"age": -1})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json["errors"]] == ["#/age", "#/name"]


def test_baz_enqueues_a_job_that_is_followed_to_its_end(alice, work):
    answer = alice.post("/api/v1/baz", json={"to": 4})
    assert answer.status_code == 202
    assert answer.headers["Retry-After"] == "2"
    assert answer.headers["Vary"] == "Prefer, Accept"
    location = answer.headers["Location"]
    assert answer.json == alice.get(location).json
    assert answer.json["links"]["self"] == location
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]
    work()
    job = alice.get(location).json
    assert (job["status"], job["done"], job["result"], job["error"]) == ("succeeded", True, 4, None)
    assert (job["progress"]["completed"], job["progress"]["total"]) == (4, 4)
    assert [attempt["number"] for attempt in job["attempts"]] == [1]


def test_examples_are_off_in_production(settings, redis):
    app = create_app(dataclasses.replace(settings, app_env="production", examples=False))
    for path in ("/api/v1/foo", "/api/v1/fail"):
        assert app.test_client().get(path).status_code == 404
