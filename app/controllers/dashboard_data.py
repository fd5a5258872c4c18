"""What rq-dashboard's pages fetch and show. They print most of it as HTML, so it is escaped here; its own views also
fail on jobs with dependencies and on anything unreadable. How it is mounted and guarded is in dashboard.py."""

import json
import math
import zlib
from collections.abc import Callable
from typing import Any

from flask import Response, current_app, jsonify, url_for
from markupsafe import escape
from redis import Redis
from rq import Queue, Worker, requeue_job
from rq.exceptions import DeserializationError, InvalidJobOperation, NoSuchJobError
from rq.job import Job
from rq_dashboard import web

MOST_REQUEUED = 2000  # about a second of work
CAN_T_BE_READ = "(can't be read)"
# What RQ raises over a record that it did not write, or wrote with another serializer.
GARBAGE = (
    *(ValueError, TypeError, KeyError, AttributeError, AssertionError, OverflowError, RecursionError),
    *(zlib.error, DeserializationError),
)


def queues(instance_number: int) -> Response:
    found = web.serialize_queues(instance_number, sorted(Queue.all(connection=_redis())))
    return _answer(queues=[{**queue, "name": _html(queue["name"])} for queue in found])


def jobs(instance_number: int, queue_name: str, registry_name: str, per_page: str, order: str, page: str) -> Response:
    """One page of a queue or a registry: reads that page alone, however many jobs there are."""
    size, number = int(per_page), int(page)
    total, ids = _ids(Queue(queue_name, connection=_redis()), registry_name, order == "dsc", (number - 1) * size, size)
    last = math.ceil(total / size)

    def link(to: int) -> dict[str, Any]:
        place: dict[str, Any] = {"queue_name": queue_name, "registry_name": registry_name, "order": order}
        url = url_for(".jobs_overview", instance_number=instance_number, per_page=size, page=to, **place)
        return {"number": to, "url": url}

    pagination = {
        "current_page": number,
        "num_pages": last,
        "pages_in_window": [link(to) for to in web.pagination_window(total, number, size)],
        "first_page": link(1),
        "last_page": link(max(1, last)),
        **({"prev_page": link(number - 1)} if number > 1 else {}),
        **({"next_page": link(number + 1)} if number < last else {}),
    }
    rows = [row for row in map(_row, ids) if row is not None]
    return _answer(name=queue_name, registry_name=registry_name, jobs=rows, pagination=pagination)


def _ids(queue: Queue, registry_name: str, newest_first: bool, offset: int, size: int) -> tuple[int, list[str]]:
    if registry_name != "queued":
        registry = getattr(queue, f"{registry_name}_job_registry")
        ids = registry.get_job_ids(offset, offset + size - 1, desc=newest_first, cleanup=False)
        return registry.get_job_count(cleanup=False), ids
    total = queue.count
    if not newest_first:
        return total, queue.get_job_ids(offset, size)
    end = max(0, total - offset)
    start = max(0, end - size)
    return total, queue.get_job_ids(start, end - start)[::-1]


def _row(job_id: str) -> dict[str, Any] | None:
    """A line of the list. Its page escapes description and exc_info itself, and the id not."""
    try:
        job = Job.fetch(job_id, connection=_redis())
    except NoSuchJobError:
        return None
    except GARBAGE:
        return {"id": _html(job_id), "description": CAN_T_BE_READ, "exc_info": None, "created_at": None}
    return {
        "id": _html(job_id),
        "created_at": web.serialize_date(job.created_at),
        "started_at": web.serialize_date(job.started_at),
        "ended_at": web.serialize_date(job.ended_at),
        "exc_info": _read(lambda: _trace(job)),
        "description": job.description,
    }


def job(instance_number: int, job_id: str) -> Response:
    job = Job.fetch(job_id, connection=_redis())
    shown = {
        "id": job.id,
        "origin": job.origin,
        "status": _word(job.get_status()),
        "description": job.description,
        "metadata": _read(lambda: json.dumps(_plain(job.meta))),
        "exc_info": _read(lambda: _trace(job)),
        **{
            name: web.serialize_date(getattr(job, name))
            for name in ("created_at", "enqueued_at", "started_at", "ended_at")
        },
    }
    if needed := sorted(job.dependency_ids):
        shown["depends_on"] = needed
        shown["depends_on_status"] = ["active" if Job.exists(one, _redis()) else "expired" for one in needed]
    return _answer(**_html(shown), result=_read(lambda: _html(job.return_value())))


def workers(instance_number: int) -> Response:
    found = [_worker(worker) for worker in Worker.all(connection=_redis())]
    return _answer(workers=sorted(found, key=lambda worker: (worker["state"], worker["queues"], worker["name"])))


def _worker(worker: Worker) -> dict[str, Any]:
    shown = {
        "name": worker.name,
        "pid": worker.pid,
        "queues": worker.queue_names(),
        "state": _word(worker.get_state()),
        "version": worker.version,
        "python_version": worker.python_version,
    }
    current = _read(worker.get_current_job)
    if not isinstance(current, Job):
        return {**_html(shown), "current_job": "idle"}
    return {
        **_html(shown),
        "current_job": {
            "job_id": _html(current.id),
            "description": current.description,  # its page escapes this one itself
            "created_at": web.serialize_date(current.created_at),
            "call_string": _html(_read(current.get_call_string)),
        },
    }


def requeue_all(queue_name: str) -> Response:
    """Rings again for the failed jobs of this queue, the oldest first: as many as a request has time for."""
    registry = Queue(queue_name, connection=_redis()).failed_job_registry
    count = 0
    for job_id in registry.get_job_ids(0, MOST_REQUEUED - 1, cleanup=False):
        try:
            requeue_job(job_id, connection=_redis())
            count += 1
        except NoSuchJobError:  # its record has expired
            registry.remove(job_id)
        except (InvalidJobOperation, *GARBAGE):  # somebody else was first, or nobody can
            continue
    return _answer(status="OK", count=count, left=registry.get_job_count(cleanup=False))


def _redis() -> Redis:
    return current_app.extensions["rq_dashboard_redis"]  # type: ignore[no-any-return]


def _answer(**content: Any) -> Response:
    response = jsonify(**content)
    response.headers["Cache-Control"] = "no-store"
    return response


def _word(state: Any) -> str:
    """RQ's name of a state, by which the page decides what to offer."""
    return str(getattr(state, "value", state))


def _trace(job: Job) -> str | None:
    latest = job.latest_result()
    return latest.exc_string if latest else None


def _read(part: Callable[[], Any]) -> Any:
    """This part of a record, or a word in its place where it is garbage: one bad part must not hide the others."""
    try:
        return part()
    except GARBAGE:
        return CAN_T_BE_READ
    except NoSuchJobError:
        return None


def _plain(value: Any) -> Any:
    """The same, of what JSON can carry to a browser alone."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _html(value: Any) -> Any:
    """The same, with every text in it made harmless for a page that prints it as HTML."""
    if isinstance(value, dict):
        return {str(escape(key)): _html(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_html(item) for item in value]
    plain = _plain(value)
    return str(escape(plain)) if isinstance(plain, str) else plain


VIEWS: dict[str, Callable[..., Any]] = {
    "list_queues": queues,
    "list_jobs": jobs,
    "job_info": job,
    "list_workers": workers,
    "requeue_all": requeue_all,
}
