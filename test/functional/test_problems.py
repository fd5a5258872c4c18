"""Every error of the process in one shape, whoever raised it."""

import json

import pytest


def problem(answer, status: int, slug: str) -> dict:
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    body = answer.json
    assert body["type"] == f"http://127.0.0.1:5000/problems/{slug}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == answer.headers["X-Request-Id"]
    return body


def test_unknown_address(client):
    assert problem(client.get("/nowhere"), 404, "not-found")["instance"] == "/nowhere"


def test_wrong_method_names_the_right_ones(client):
    answer = client.delete("/api/v1/authenticate")
    problem(answer, 405, "method-not-allowed")
    assert set(answer.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"{'text': 1}",
        b"\xff\xfe",
        b'{"text": NaN}',
        b"[" * 100000,
        b'{"text": ' + b"9" * 5000 + b"}",
        b'{"text": Infinity}',
        '{"text": "x"}'.encode("utf-16"),
        b'{"text": "x"} x',
    ],
)
def test_broken_json(alice, data):
    problem(alice.post("/api/v1/tasks", data=data, content_type="application/json"), 400, "malformed-json")


def test_null_is_a_body_that_does_not_fit(alice):
    problem(alice.post("/api/v1/tasks", data="null", content_type="application/json"), 422, "validation-error")


def test_deep_nesting_is_refused(alice):
    body = '{"text": ' + "[" * 200 + "]" * 200 + "}"
    problem(alice.post("/api/v1/tasks", data=body, content_type="application/json"), 422, "validation-error")


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
def test_other_media_types(alice, kind):
    problem(alice.post("/api/v1/tasks", data='{"text": "x"}', content_type=kind), 415, "unsupported-media-type")


def test_large_body_is_refused_before_it_is_read(alice, settings):
    body = json.dumps({"text": "x" * settings.max_body_bytes})
    answer = alice.post("/api/v1/tasks", data=body, content_type="application/json")
    assert problem(answer, 413, "payload-too-large")["max_bytes"] == settings.max_body_bytes


def test_bug_is_a_500_that_tells_nothing(alice):
    answer = alice.get("/api/v1/fail")
    problem(answer, 500, "internal-error")
    assert "KeyError" not in answer.text
    assert "a key that nobody set" not in answer.text


@pytest.mark.parametrize(("given", "kept"), [("abc-123", True), ("x" * 65, False), ("a b", False), ("ä", False)])
def test_request_id_is_kept_if_well_formed(client, given, kept):
    answer = client.get("/healthz", headers={"X-Request-Id": given.encode().decode("latin-1")})
    assert (answer.headers["X-Request-Id"] == given) is kept
    assert answer.headers["X-Request-Id"]


def test_problem_types_resolve(client, app):
    from app.errors import problem_types

    for slug in problem_types():
        page = client.get(f"/problems/{slug}")
        assert page.status_code == 200
        assert "text/html" in page.content_type
    problem(client.get("/problems/unknown"), 404, "not-found")


def test_security_headers_are_on_every_answer(client):
    for path in ("/", "/nowhere", "/api/v1/tasks", "/healthz", "/problems/not-found"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
