"""What the tests of guest lists share: a file, and the end of a job."""

import csv
import io
from collections.abc import Callable
from typing import Any

from people import Person
from sqlalchemy import select

from app.db import session
from app.models import Guest


def upload(person: Person, data: bytes | str, name: str = "guests.csv") -> str:
    """The sha256."""
    data = data if isinstance(data, bytes) else data.encode()
    answer = person.post("/api/v1/files", query_string={"name": name}, data=data)
    assert answer.status_code < 300, answer.text
    return answer.json["sha256"]


def ask(person: Person, event_id: int, verb: str, **body: Any) -> str:
    """The job's id."""
    answer = person.post(f"/api/v1/events/{event_id}/guests/{verb}", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json["id"]


def job(person: Person, job_id: str) -> dict[str, Any]:
    return person.get(f"/api/v1/jobs/{job_id}").json


def bring_in(person: Person, work: Callable[[], None], event_id: int, data: bytes | str) -> dict[str, Any]:
    """The job of a whole import."""
    job_id = ask(person, event_id, "import", file=upload(person, data))
    work()
    return job(person, job_id)


def take_out(person: Person, work: Callable[[], None], event_id: int) -> dict[str, Any]:
    """The job of a whole export."""
    job_id = ask(person, event_id, "export")
    work()
    return job(person, job_id)


def rows_of(person: Person, href: str) -> list[list[str]]:
    """The cells of a file, as a spreadsheet sees them."""
    data = person.get(f"{href}/content").data
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def guests_of(event_id: int) -> list[tuple[str, str, str]]:
    """(e-mail, name, role), oldest first."""
    columns = select(Guest.email, Guest.name, Guest.role).where(Guest.event_id == event_id)
    found = [tuple(row) for row in session.execute(columns.order_by(Guest.id))]
    session.rollback()
    return found


def people(number: int) -> str:
    """A table of so many."""
    return "email,name\n" + "".join(f"guest-{each}@example.com,Guest {each}\n" for each in range(number))
