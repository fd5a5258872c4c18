"""Jobs: one file per resource, plain functions under `@job`. The rules:

take ids, not objects · arguments are JSON · safe to run twice · `checkpoint` in every loop and before slow calls ·
never rename without `formerly=`.
"""

from app.workers import campaigns, examples, files, guest_lists, guests, idempotency, jobs, passwords, tasks

__all__ = ["campaigns", "examples", "files", "guest_lists", "guests", "idempotency", "jobs", "passwords", "tasks"]
