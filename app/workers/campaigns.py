"""Jobs that send a campaign. How is in `services/sending.py`."""

from app.helpers import context
from app.queue import job
from app.services import sending


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
    sending.close(campaign_id, context.get().job_id)
