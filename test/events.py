"""Events and guests, made through the API; and requests that come at the same moment."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask import Flask
from people import Person
from sqlalchemy import Engine, text

JUNE, JULY = "2099-06-19T18:00:00Z", "2099-07-19T18:00:00Z"


def new_event(person: Person, **fields: Any) -> dict[str, Any]:
    answer = person.post("/api/v1/events", json={"name": "Summer party", **fields})
    assert answer.status_code == 201, answer.text
    return answer.json


def new_guest(person: Person, event: dict[str, Any], email: str = "grace@example.com", **fields: Any) -> dict[str, Any]:
    answer = person.post(f"/api/v1/events/{event['id']}/guests", json={"email": email, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json


def send_at_once(app: Flask, person: Person, *requests: tuple[str, str, Any]) -> list[int]:
    """The statuses of the answers, the lowest first."""
    gate = threading.Barrier(len(requests))

    def send(request: tuple[str, str, Any]) -> int:
        method, path, body = request
        mine = Person(app.test_client(), person.email, person.id, person.token)
        gate.wait()
        return mine.send(method, path, json=body).status_code

    with ThreadPoolExecutor(len(requests)) as pool:
        return sorted(pool.map(send, requests))


def somebody_waits(engine: Engine) -> bool:
    """Whether a transaction of this database stands before another one's lock. PostgreSQL only."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with engine.connect() as connection:
        return bool(connection.scalar(text(waiting)))
