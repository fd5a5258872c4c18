"""Jobs about guest lists: a table becomes guests of an event, and the guests of an event a table."""

import re
import sys
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import PurePath
from typing import Any

from sqlalchemy import func, select, tuple_

from app.config import settings
from app.db import insert_unless_there, session
from app.errors import ContentLost, NotFound, QuotaExceeded, TableUnreadable, ValidationFailed
from app.helpers import context, tables
from app.helpers.content import Upload
from app.helpers.sink import Sink
from app.helpers.storage import BlobMissing, storage
from app.helpers.tables import Row, Table
from app.models import Event, File, Guest, User
from app.models.base import now, rfc3339
from app.models.file import LONGEST_NAME
from app.queue import checkpoint, job
from app.schemas import guests as schemas
from app.services import files

NAMES = {"email": "email", "e-mail": "email", "name": "name", "role": "role"}  # of the columns that are read
COLUMNS = (Guest.email, Guest.name, Guest.role, Guest.status, Guest.invited_at, Guest.answered_at)  # that are written
EMPTY = {"name": "", "role": "guest"}  # what a row may leave out
MOST_ROWS = 1_000_000  # of one list: each address is remembered, with its line
READ_AT_ONCE, WRITTEN_AT_ONCE = 500, 1000  # rows
UNFIT = re.compile(r"[/\\\x00-\x1f\x7f]")  # in the name of a file


@job(timeout_seconds=4 * 3600, at_once=1, per="event_id")
def read(event_id: int, file_id: int) -> dict[str, Any]:
    """Adds the guests in a file to an event. Who is a guest already stays as he is; rows that can't be taken are told
    in a file of their own. Each attempt reads everything, and comes to the same."""
    file = File.find(file_id)
    if file is None:
        raise NotFound("The file was deleted before it was read.")
    key, name = file.key, PurePath(file.name).stem
    checkpoint()  # no transaction stays open while the storage is read
    table = Table(partial(_bytes_of, key), NAMES, needed="email")
    total = sum(1 for _ in table)
    if total > MOST_ROWS:
        raise TableUnreadable(f"The file has {total} rows, more than {MOST_ROWS}: send it in parts.")
    checkpoint(0, total)
    with Sink(sys.maxsize) as report:  # the table bounds it; and it must not end the import
        good, refused = _take_in(event_id, table, total, report)
        upload = report.finish(_file_name(f"refused rows of {name}")) if refused else None
    event = Event.find(event_id)
    if event is None:  # deleted meanwhile, and its guests with it
        return {"added": 0, "unchanged": 0, "refused": refused, "report": None}
    mine = Guest.event_id == event_id, Guest.import_job_id == context.get().job_id
    added = session.scalars(select(func.count()).select_from(Guest).where(*mine)).one()
    href = _store(event.user_id, upload, f"{added} guests were added, but the report") if upload else None
    return {"added": added, "unchanged": max(0, good - added), "refused": refused, "report": href}


def _bytes_of(key: str) -> Iterator[bytes]:
    try:
        return storage().read(key)
    except BlobMissing:
        raise ContentLost from None


def _take_in(event_id: int, table: Table, total: int, report: Sink) -> tuple[int, int]:
    """How many rows are good, and how many refused. Stops if the event is deleted meanwhile."""
    report.write(BOM_UTF8 + tables.written([["line", "reason", *table.columns]]))
    rows, seen = iter(table), dict[str, int]()
    good = refused = 0
    while batch := list(islice(rows, READ_AT_ONCE)):
        guests, refusals = [], []
        for row in batch:
            values = _values_of(row, table)
            fault = _fault_of(row, values, table, seen)
            if fault is None:
                guests.append(values)
            else:
                refusals.append([str(row.line), fault, *row.cells])
        report.write(tables.written(refusals))
        good, refused = good + len(guests), refused + len(refusals)
        if not _add(event_id, guests):
            break
        checkpoint(good, total, failed=refused)
    return good, refused


def _values_of(row: Row, table: Table) -> dict[str, str]:
    """What the row says of a guest, by column; an empty cell says nothing."""
    cells = {name: row.cells[place].strip() for name, place in table.places.items() if place < len(row.cells)}
    return {name: cell for name, cell in cells.items() if cell}


def _fault_of(row: Row, values: dict[str, str], table: Table, seen: dict[str, int]) -> str | None:
    """Why there is no guest in this row. `seen` are the addresses so far, each with its line."""
    if row.fault:
        return row.fault
    if any(cell.strip() for cell in row.cells[len(table.columns) :]):
        return "has more cells than there are columns"
    try:
        schemas.create.check(values)
    except ValidationFailed as refusal:
        return "; ".join(
            f"{error['pointer'].removeprefix('#/')} {error['detail']}" for error in refusal.extras["errors"]
        )
    first = seen.setdefault(User.key_of(values["email"]), row.line)
    return None if first == row.line else f"the same address as in line {first}"


def _add(event_id: int, guests: list[dict[str, str]]) -> bool:
    """Those who are not there yet. False: the event was deleted meanwhile."""
    event = select(Event.id).where(Event.id == event_id).with_for_update(read=True, key_share=True)
    if session.scalar(event) is None:
        return False
    moment = now()
    fixed = {
        "event_id": event_id,
        "import_job_id": context.get().job_id,
        "created_at": moment,
        "updated_at": moment,
    }
    rows = [{**fixed, **EMPTY, **guest, "email_key": User.key_of(guest["email"])} for guest in guests]
    insert = insert_unless_there(Guest, index_elements=["event_id", "email_key"])
    if rows:
        session.execute(insert.returning(Guest.id), rows)  # RETURNING makes it one statement
    return True


@job(timeout_seconds=3600)
def write(event_id: int) -> dict[str, Any]:
    """Writes the guests of an event into a file of its owner's – unless the event was deleted."""
    event = Event.find(event_id)
    if event is None:
        return {"href": None, "guests": 0}
    owner_id, name = event.user_id, _file_name(f"guests of {event.name}")
    total = session.scalars(select(func.count()).select_from(Guest).where(Guest.event_id == event_id)).one()
    room = min(settings().max_upload_bytes, settings().upload_quota_bytes - File.bytes_of(owner_id))
    done = 0
    with Sink(room) as sink:
        sink.write(BOM_UTF8 + tables.written([[column.key for column in COLUMNS]]))
        for rows in _guests_of(event_id):
            checkpoint(done, total)  # no transaction stays open while the storage takes its time
            sink.write(tables.written(map(_cells_of, rows)))
            done += len(rows)
        checkpoint(done, total)
        upload = sink.finish(name)
    if Event.find(event_id) is None:
        return {"href": None, "guests": 0}
    return {"href": _store(owner_id, upload, "The list"), "guests": done}


def _guests_of(event_id: int) -> Iterator[Sequence[Any]]:
    """The cells of all guests, oldest first, some at a time; each time after the last one of before."""
    place = (Guest.created_at, Guest.id)
    query = select(*COLUMNS, *place).where(Guest.event_id == event_id).order_by(*place).limit(WRITTEN_AT_ONCE)
    rows = session.execute(query).all()
    while rows:
        yield rows
        rows = session.execute(query.where(tuple_(*place) > (rows[-1].created_at, rows[-1].id))).all()


def _cells_of(row: Sequence[Any]) -> list[str]:
    return [cell if isinstance(cell, str) else rfc3339(cell) or "" for cell in row[: len(COLUMNS)]]


def _file_name(text: str) -> str:
    return UNFIT.sub("_", text)[: LONGEST_NAME - len(".csv")] + ".csv"


def _store(owner_id: int, upload: Upload, what: str) -> str:
    """The file's address. The same content once more is the file that is there already."""
    try:
        file, _ = files.store(User.find_or_fail(owner_id), upload)
    except QuotaExceeded as full:
        text = f"{what} has no room among the account's files. Delete some, and try this job again."
        raise QuotaExceeded(text, **full.extras) from None
    return f"/api/v1/files/{file.sha256}"
