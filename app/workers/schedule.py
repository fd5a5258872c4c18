"""What runs by itself, and when: cron lines in UTC."""

SCHEDULE = [
    ("17 * * * *", "jobs.forget"),
    ("47 * * * *", "idempotency.forget"),
]
