"""What runs by itself, and when: cron lines in UTC."""

SCHEDULE = [
    ("17 * * * *", "jobs.forget"),
    ("47 * * * *", "idempotency.forget"),
    ("37 * * * *", "files.sweep"),
    ("*/10 * * * *", "campaigns.sweep"),
    ("23 3 * * 0", "files.check"),
]
