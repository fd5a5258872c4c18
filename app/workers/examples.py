"""The worked example of a job: `baz` enqueues it."""

from app.queue import checkpoint, job


@job(queue="low")
def count(to: int) -> int:
    """Counts, slowly enough to be watched and canceled."""
    for number in range(to):
        checkpoint(number + 1, to, message=f"at {number + 1}")
    return to
