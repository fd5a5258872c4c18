"""The SQL of every endpoint is known: so many statements, however many rows there are."""

import uuid

import pytest

# endpoint → statements of a good request, the look-up of the caller included. A writer's job row counts too.
TASK = {"text": "x", "due_at": "2099-01-01T00:00:00Z"}
REQUESTS = [
    ("GET", "/api/v1/user", None, 1),
    ("GET", "/api/v1/user/tokens", None, 2),
    ("POST", "/api/v1/user/tokens", {"name": "x", "scopes": ["tasks:read"]}, None),
    ("GET", "/api/v1/tasks", None, 2),
    ("POST", "/api/v1/tasks", {"text": "x"}, 2),
    ("POST", "/api/v1/tasks", TASK, 4),
    ("GET", "/api/v1/tasks/{task}", None, 2),
    ("PUT", "/api/v1/tasks/{task}", TASK | {"text": "z"}, 3),
    ("PATCH", "/api/v1/tasks/{task}", {"done": False}, 2),
    ("PATCH", "/api/v1/tasks/{task}", {"text": "y"}, 3),
    ("DELETE", "/api/v1/tasks/{task}", None, 6),
    ("GET", "/api/v1/jobs", None, 2),
    ("GET", "/api/v1/jobs/{job}", None, 2),
    ("GET", "/api/v1/jobs?q=remind", None, 2),
    ("POST", "/api/v1/jobs/{job}/cancel", None, 4),
    ("GET", "/api/v1/files", None, 2),
    ("GET", "/api/v1/files/{file}", None, 2),
    ("PATCH", "/api/v1/files/{file}", {"name": "y"}, 3),
    ("POST", "/api/v1/files/{file}/links", {}, 2),
    ("DELETE", "/api/v1/files/{file}", None, 3),
    ("GET", "/service/fileupload", None, 2),
    ("GET", "/tasks", None, 2),
    ("POST", "/task", {"text": "x"}, 2),
    ("POST", "/api/v1/baz", {}, 2),
    ("GET", "/healthz", None, 0),
]


def fill(person, rows: int) -> dict[str, str]:
    """So many rows of everything; the ids of one of each."""
    for _ in range(rows):
        task = person.post("/api/v1/tasks", json=TASK).json
        person.post("/api/v1/user/tokens", json={"name": uuid.uuid4().hex, "scopes": ["tasks:read"]})
        file = person.post("/api/v1/files", data=b"\0" + uuid.uuid4().bytes).json  # no text: it gets no preview
    return {"task": task["id"], "job": task["reminder_job_id"], "file": file["sha256"]}


def test_number_of_statements_of_an_upload_is_known(alice, queries):
    """Before: who calls, what the account holds. After it: who calls, again and locked; is it there, what does the
    account hold now; the file; its number."""
    for data in (b"\0one", b"\0two"):
        queries.clear()
        assert alice.post("/api/v1/files", data=data).status_code == 201
    assert len(queries) == 8, queries


@pytest.mark.parametrize(("method", "path", "body", "expected"), REQUESTS)
def test_number_of_statements_is_known_and_does_not_grow(alice, queries, method, path, body, expected):
    counts = []
    for rows in (1, 4):
        ids = fill(alice, rows)
        queries.clear()
        answer = alice.send(method, path.format(**ids), json=body)
        assert answer.status_code < 300, answer.text
        counts.append(len(queries))
    assert counts[0] == counts[1], queries
    assert expected is None or counts[1] == expected, queries
