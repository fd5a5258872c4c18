"""Pages of other sites: only those that `CORS_ORIGINS` names may call the API from a browser."""

from dataclasses import replace

import pytest

FRIEND = "https://app.example.com"
STRANGERS = [
    "https://evil.example",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://app.example.com.evil.example",
    "https://APP.example.com",
    "null",
    "*",
    "",
]


@pytest.fixture
def database_url(migrated) -> str:
    return migrated("sqlite")  # nothing here depends on the database


@pytest.fixture
def origins() -> tuple[str, ...]:
    return (FRIEND, "http://localhost:3000")


@pytest.fixture
def settings(settings, origins):
    return replace(settings, cors_origins=origins)


def preflight(client, path: str, origin: str = FRIEND, method: str = "PATCH"):
    headers = {"Origin": origin, "Access-Control-Request-Method": method}
    return client.options(path, headers=headers | {"Access-Control-Request-Headers": "authorization,if-match"})


def cors_headers(answer) -> set[str]:
    return {name for name in answer.headers.keys() if name.startswith("Access-Control")}  # noqa: SIM118  # pairs else


@pytest.mark.parametrize("path", ["/api/v1/tasks", "/api/v1/tasks/7", "/tasks", "/api/v1/user"])
def test_preflight_needs_no_token_and_names_what_clients_send(client, path):
    answer = preflight(client, path)
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == FRIEND
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"].split(", ")
    assert {"Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "Prefer"} <= set(
        answer.headers["Access-Control-Allow-Headers"].split(", ")
    )
    assert int(answer.headers["Access-Control-Max-Age"]) > 0
    assert "Origin" in answer.vary


def test_answers_can_be_read_with_their_headers(alice):
    answer = alice.get("/api/v1/tasks", headers={"Origin": "http://localhost:3000"})
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    exposed = set(answer.headers["Access-Control-Expose-Headers"].split(", "))
    assert {"Location", "ETag", "Retry-After", "RateLimit", "RateLimit-Policy", "X-Request-Id"} <= exposed
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(("path", "status"), [("/api/v1/tasks", 401), ("/api/v1/nowhere", 404), ("/api/v1/fail", 500)])
def test_errors_can_be_read_too(client, alice, path, status):
    ask = alice.get if status == 500 else client.get
    answer = ask(path, headers={"Origin": FRIEND})
    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == FRIEND
    assert "Origin" in answer.vary


@pytest.mark.parametrize("origin", STRANGERS)
def test_other_origins_get_nothing(client, alice, origin):
    for answer in (preflight(client, "/api/v1/tasks", origin), alice.get("/api/v1/tasks", headers={"Origin": origin})):
        assert cors_headers(answer) == set()
        assert "Origin" in answer.vary
    assert preflight(client, "/api/v1/tasks", origin).status_code == 401


def test_answers_differ_by_origin_even_for_who_sends_none(client):
    answer = client.get("/healthz")
    assert "Origin" in answer.vary
    assert cors_headers(answer) == set()


def test_other_parts_of_vary_stay(alice):
    answer = alice.post("/api/v1/baz", json={}, headers={"Origin": FRIEND})
    assert answer.status_code == 202
    assert {"Prefer", "Accept", "Origin"} <= set(answer.vary)


def test_options_without_a_preflight_is_an_ordinary_request(client, alice):
    assert client.options("/api/v1/tasks", headers={"Origin": FRIEND}).status_code == 401
    assert "GET" in alice.send("OPTIONS", "/api/v1/tasks", headers={"Origin": FRIEND}).headers["Allow"]


@pytest.mark.parametrize("path", ["/internal", "/internal/rq/"])
def test_operators_pages_are_shared_with_nobody(client, path):
    for answer in (preflight(client, path), client.get(path, headers={"Origin": FRIEND})):
        assert answer.status_code in (401, 404)
        assert cors_headers(answer) == set()


@pytest.mark.parametrize("origins", [()])
def test_off_unless_origins_are_named(client, alice):
    assert preflight(client, "/api/v1/tasks").status_code == 401
    answer = alice.get("/api/v1/tasks", headers={"Origin": FRIEND})
    assert cors_headers(answer) == set()
    assert "Origin" not in answer.vary
