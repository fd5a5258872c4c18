"""A job's events as a stream of text (Server-Sent Events), from any number on, until the job is done."""

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app.db import read_only, session
from app.helpers import doors
from app.models import Job, JobEvent
from app.models.job import DONE
from app.queue import signals

log = logging.getLogger(__name__)

SILENCE_SECONDS = 15  # after which a comment says that the stream lives, and finds out whether the client does
RETRY_MS = 2000  # after which a client that lost the stream asks again
BATCH = 200


def is_over(job: Job, seq: int) -> bool:
    """The job is done, and there is no event after this number."""
    later = select(JobEvent.seq).where(JobEvent.job_id == job.id, JobEvent.seq > seq).limit(1)
    return job.is_done and session.scalar(later) is None


@dataclass
class _Reader:
    """What happened to the job after event number `seq`, a batch at a time."""

    job_id: str
    seq: int
    events: list[JobEvent] = field(default_factory=list)
    done: Job | None = None  # set if its end is the last event of the batch
    gone: bool = False  # forgotten, or expired

    def look(self) -> bool:
        """Reads the next batch, if there is one. Runs outside the request: it ended when the stream began."""
        token = read_only.set(True)
        try:
            self.events = self._later()
            job = Job.find(self.job_id)
            if job is not None and job.is_done and not self.events:
                self.events = self._later()  # it may have ended between the two reads
        finally:
            session.remove()
            read_only.reset(token)
        self.gone = job is None or job.is_expired
        at_end = job is not None and job.is_done and len(self.events) < BATCH
        at_end = at_end and (not self.events or self.events[-1].status in DONE)
        self.done = job if at_end else None
        return bool(self.events) or self.gone or at_end

    def _later(self) -> list[JobEvent]:
        later = select(JobEvent).where(JobEvent.job_id == self.job_id, JobEvent.seq > self.seq)
        return list(session.scalars(later.order_by(JobEvent.seq).limit(BATCH)))

    def told(self) -> Iterator[str]:
        """The batch, as text."""
        for event in self.events:
            last = event is self.events[-1]
            kind = "done" if self.done and last else "update"
            data = self.done.to_dict() if self.done and last else event.to_dict()
            self.seq = event.seq
            yield f"id: {event.seq}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"


def stream(job_id: str, seq: int) -> Iterator[str]:
    """The events after number `seq`, as they happen. Between them the stream holds no database connection."""
    if not signals.places.acquire(blocking=False):  # the client comes back in a moment
        yield f"retry: {RETRY_MS}\n: too many wait already\n\n"
        return
    try:
        yield f"retry: {RETRY_MS}\n\n"
        with signals.woken(job_id) as wake_up:
            yield from _follow(_Reader(job_id, seq), wake_up)
    except SQLAlchemyError as error:
        log.warning("the event stream of job %s was cut: %s", job_id, type(error).__name__)
    finally:
        signals.places.release()


def _follow(reader: _Reader, wake_up: threading.Event) -> Iterator[str]:
    while not (reader.gone or reader.done):
        if signals.closing.is_set():
            return
        with doors.turn(doors.patient):
            found = reader.look()
            told = "".join(reader.told())
        if told:
            yield told
        if found:
            continue
        while not wake_up.wait(SILENCE_SECONDS):
            yield ": still here\n\n"
        wake_up.clear()
