"""Jobs that send a campaign, and close it. How is in `services/sending.py` and `services/closing.py`."""

from app.helpers import context
from app.queue import checkpoint, job
from app.services import closing, sending


@job(queue="low", retries=8, timeout_seconds=3600, at_once=1, per="campaign_id")
def deliver(campaign_id: int) -> dict[str, int]:
    """Sends a campaign's messages, each of them once: from its launch to its end one job, which waits and lets others
    have the worker by postponing itself."""
    with sending.Delivery(campaign_id) as delivery:
        while delivery.goes_on():
            delivery.hand_over()
        return delivery.result()


@job()
def close(campaign_id: int) -> None:
    """What is left to do for a campaign when the job that sends it has ended, well or not."""
    closing.close(campaign_id, context.get().job_id)


@job(queue="low")
def sweep() -> dict[str, int]:
    """Closes campaigns that nobody sends any more and nobody else will close, so that none is `sending` for ever."""
    ids, closed = closing.left_over(), 0
    checkpoint(0, len(ids))
    for number, campaign_id in enumerate(ids, 1):
        closed += closing.close_left_over(campaign_id)
        checkpoint(number, len(ids))
    return {"closed": closed}
