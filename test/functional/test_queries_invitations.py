"""The SQL behind guests' pages is known: as much with many guests as with one."""

import pytest
from invited import BROWSER, damaged, invited, way_out

# What is asked, statements. An invitation: the guest with the event, found by the link; the change.
REQUESTS = [
    ("GET", "page", None, 1),
    ("POST", "page", {"answer": "accepted"}, 2),
    ("POST", "page", {"answer": "declined"}, 1),  # which is what was said before
    ("GET", "forged", None, 0),
    ("POST", "forged", {"answer": "accepted"}, 0),
    ("GET", "way out", None, 1),
    ("POST", "way out", {}, 2),
    ("POST", "way out", {"answer": "subscribe"}, 2),
    ("POST", "invite", None, 4),  # who calls; the guest; the event; the job
    ("DELETE", "invitation", None, 3),  # who calls; the guest; the change
]


@pytest.mark.parametrize(("method", "what", "body", "expected"), REQUESTS)
def test_number_of_statements_is_known_and_does_not_grow(alice, client, queries, method, what, body, expected):
    counts = []
    for rows in (1, 12):
        guests = [invited(alice, status="declined") for _ in range(rows)]
        for number in range(rows - 1):
            client.post(way_out(alice, f"other{number}@example.com"))
        paths = {
            "page": guests[0].path,
            "forged": damaged(guests[0].path),
            "way out": way_out(alice),
            "invite": f"/api/v1/guests/{guests[0].id}/invite",
            "invitation": f"/api/v1/guests/{guests[0].id}/invitation",
        }
        token = {"Authorization": alice.token} if what.startswith("invit") else {}
        queries.clear()
        answer = client.open(paths[what], method=method, headers=BROWSER | token, data=body)
        assert answer.status_code < 400 or what == "forged", answer.text
        counts.append(len(queries))
    assert counts == [expected, expected], queries
