"""What people do with jobs: cancel one, try one again, forget one."""

from app.db import session
from app.errors import Conflict, JobNotCancelable, JobNotFinished
from app.models import Job
from app.queue import ledger, outbox, reports


def cancel(job: Job) -> Job:
    """Canceled at once if it waits; at its next checkpoint if it runs. JobNotCancelable if it is done.

    A job that is canceled already stays so, and that is no error.
    """
    if job.status == "canceled":
        return job
    status = ledger.request_cancel(job.id)
    if status is None:
        raise JobNotCancelable
    session.refresh(job)
    if status == "canceled":
        outbox.forget_after_commit(job)
    return job


def retry(job: Job) -> Job:
    """Queues a failed or canceled job again, under the same id."""
    if not reports.start_again(job):
        raise Conflict("Only a failed or canceled job can be tried again.")
    session.refresh(job)
    outbox.ring_after_commit(job)
    return job


def forget(job: Job) -> None:
    """Deletes a finished job and what is known of it, for good. JobNotFinished unless it is done.

    Conflict while the operators have not been told of its failure: the report is made of the row.
    """
    if not job.is_done:
        raise JobNotFinished("Only a finished job can be forgotten. Cancel it first.")
    if job.status == "failed" and job.reported_at is None:
        raise Conflict("The operators have not been told of this failure yet. Try again in a moment.")
    outbox.forget_after_commit(job)
    job.delete()
