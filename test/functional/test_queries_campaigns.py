"""The SQL of campaigns is known: so many statements, however many guests, messages and campaigns there are."""

import pytest
from campaigns import event_with, launched, new_campaign

# endpoint → statements of a good request, the look-up of the caller included
REQUESTS = [
    ("GET", "/api/v1/campaigns", None, 2),
    ("GET", "/api/v1/campaigns?q=news&status=draft", None, 2),
    ("POST", "/api/v1/campaigns", {"name": "x"}, 3),
    ("GET", "/api/v1/campaigns/{launched}", None, 3),
    ("PUT", "/api/v1/campaigns/{draft}", {"name": "y"}, 4),
    ("PATCH", "/api/v1/campaigns/{launched}", {"messages_per_minute": 9}, 4),
    ("DELETE", "/api/v1/campaigns/{draft}", None, 3),
    ("GET", "/api/v1/campaigns/{launched}/recipients", None, 3),
    ("GET", "/api/v1/campaigns/{launched}/recipients?state=pending", None, 3),
    ("POST", "/api/v1/campaigns/{draft}/preview", {}, 3),
    ("POST", "/api/v1/campaigns/{draft}/launch", {"validate_only": True}, 4),
    ("POST", "/api/v1/campaigns/{draft}/launch", {}, 11),
    ("POST", "/api/v1/campaigns/{launched}/pause", None, 4),
    ("POST", "/api/v1/campaigns/{paused}/resume", None, 5),
    ("POST", "/api/v1/campaigns/{launched}/cancel", None, 8),
    ("POST", "/api/v1/events/{event}/guests/invite", None, 13),
    ("GET", "/campaigns/", None, 2),
    ("GET", "/campaigns/{draft}", None, 2),
    ("POST", "/campaigns/", {"name": "x"}, 2),
]


def fill(person, rows: int) -> dict[str, int]:
    """So many campaigns, and ten times as many guests of each; the ids of one of each."""
    for _ in range(rows):
        under_way, paused = launched(person, 10 * rows), launched(person, 10 * rows)
        person.post(f"/api/v1/campaigns/{paused['id']}/pause")
        event_id = event_with(person, 10 * rows)
        draft = new_campaign(person, event_id=event_id)
    return {"launched": under_way["id"], "paused": paused["id"], "draft": draft["id"], "event": event_id}


@pytest.mark.parametrize(("method", "path", "body", "expected"), REQUESTS)
def test_number_of_statements_is_known_and_does_not_grow(alice, queries, method, path, body, expected):
    counts = []
    for rows in (1, 2):  # more launches than these are a backlog, in which the engine asks whose turn it is
        ids = fill(alice, rows)
        queries.clear()
        answer = alice.send(method, path.format(**ids), json=body)
        assert answer.status_code < 300, answer.text
        counts.append(len(queries))
    assert counts == [expected, expected], queries
