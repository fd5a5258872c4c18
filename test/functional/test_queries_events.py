"""The SQL of events and guests: so many statements, however many rows there are."""

import pytest
from events import new_event, new_guest

# endpoint → statements of a good request, the look-up of the caller included.
GUEST = {"email": "new@example.com", "name": "x"}
REQUESTS = [
    ("GET", "/api/v1/events", None, 2),
    ("GET", "/api/v1/events?q=x&sort=starts_at", None, 2),
    ("POST", "/api/v1/events", {"name": "x"}, 2),
    ("GET", "/api/v1/events/{event}", None, 2),
    ("PUT", "/api/v1/events/{event}", {"name": "y"}, 3),
    ("PATCH", "/api/v1/events/{event}", {"name": "y"}, 3),
    ("DELETE", "/api/v1/events/{event}", None, 4),  # its campaigns are looked at
    ("GET", "/api/v1/events/{event}/guests", None, 3),
    ("GET", "/api/v1/events/{event}/guests?status=added&role=guest&q=x", None, 3),
    ("POST", "/api/v1/events/{event}/guests", GUEST, 3),
    ("GET", "/api/v1/guests/{guest}", None, 2),
    ("PUT", "/api/v1/guests/{guest}", GUEST, 6),  # another address is a savepoint: begun, written, let go
    ("PATCH", "/api/v1/guests/{guest}", {"status": "accepted"}, 3),
    ("PATCH", "/api/v1/guests/{guest}", {"email": "new@example.com"}, 5),
    ("DELETE", "/api/v1/guests/{guest}", None, 3),
    ("POST", "/api/v1/tasks", {"text": "x", "event_id": "{event}"}, 3),
    ("PATCH", "/api/v1/tasks/{task}", {"event_id": "{event}"}, 4),
    ("GET", "/api/v1/tasks?event_id={event}", None, 2),
]


def fill(person, rows: int) -> dict[str, int]:
    """So many rows of everything; the ids of one of each."""
    for _ in range(rows):
        event = new_event(person)
    for number in range(rows):
        guest = new_guest(person, event, f"{number}@example.com")
        task = person.post("/api/v1/tasks", json={"text": "x"}).json
    return {"event": event["id"], "guest": guest["id"], "task": task["id"]}


@pytest.mark.parametrize(("method", "path", "body", "expected"), REQUESTS)
def test_number_of_statements_is_known_and_does_not_grow(alice, queries, method, path, body, expected):
    for rows in (1, 4):
        ids = fill(alice, rows)
        named = {name: ids["event"] if value == "{event}" else value for name, value in (body or {}).items()}
        queries.clear()
        answer = alice.send(method, path.format(**ids), json=named or None)
        assert answer.status_code < 300, answer.text
        assert len(queries) == expected, queries
