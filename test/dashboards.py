"""What the tests of the dashboard share: its addresses, its key, and a failed job to look at."""

import base64

from redis import Redis
from rq import Queue
from rq.job import Job

ROOT = "/internal/rq/"
EVIL = "<img src=x onerror=alert(1)>'\"</script>&"
PAGES = ["", "0/view/queues", "0/view/jobs", "0/view/workers", "0/view/jobs/high/failed/8/dsc/1"]
DATA = ["0/data/queues.json", "0/data/workers.json", "0/data/jobs/default/queued/8/asc/1.json"]
OTHERS = ["favicon.ico", "static/js/jquery-3.5.1.min.js", "0/view/job/nobody", "static/nothing"]


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def failed_job(redis: Redis, **options) -> Job:
    job = Job.create("tasks.remind", connection=redis, origin="default", **options)
    job.save()
    queue = Queue("default", connection=redis)
    redis.sadd(Queue.redis_queues_keys, queue.key)
    queue.failed_job_registry.add(job, -1)
    job.set_status("failed")
    return job
