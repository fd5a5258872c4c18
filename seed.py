"""Example data, made only through services; run it as often as you like: `python3 run.py seed`.

It shows the ORM at work too: smart queries, active record, and that nothing commits but the boundary.
"""

import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

from app import config, db
from app.boot import boot
from app.db import session
from app.errors import ConfigError
from app.helpers import context
from app.models import Event, Task, User
from app.models.base import now, rfc3339
from app.services import campaigns, events, guests, tasks, users

PASSWORD = "correct horse battery"  # noqa: S105  # of the example accounts; not made in production
PEOPLE = ("alice@example.com", "bob@example.com")
TASKS = (
    ("Book the hall", -3, True),
    ("Send the invitations", 1, False),
    ("Ask the band / Band fragen / 乐队", 3, False),
    ("Order candles 🕯️", 7, False),
    ("Count the chairs", None, False),
)
EVENT = ("Summer party / Sommerfest / 夏日聚会", 30, "Town hall")
GUESTS = (
    ("ana@example.com", "Ana", "guest", "accepted"),
    ("bjorn@example.com", "Björn", "speaker", "declined"),
    ("mei@example.com", "美", "guest", "added"),
    ("nobody-knows@example.com", "", "press", "added"),
)
CAMPAIGN = {
    "name": "A week to go",
    "subject": "{{ event.name }}: see you soon",
    "body": 'Dear {{ guest.name | default: "guest" }},\n\nwe look forward to seeing you on {{ event.starts_at }}.\n',
    "audience": {"status": ["accepted"]},
}


def main() -> int:
    settings = config.load()
    if settings.is_production:
        raise ConfigError("APP_ENV: example data has a known password and is not for production")
    engine, _ = boot(settings)
    db.check(engine)
    steps = list(steps_to_do())
    for number, (what, step) in enumerate(steps, 1):
        step()
        db.settle(200)
        show(number, len(steps), what)
    session.remove()
    print(f"Sign in as {' or '.join(PEOPLE)}; the password is: {PASSWORD}")
    return 0


def steps_to_do() -> Iterator[tuple[str, Callable[[], object]]]:
    for email in PEOPLE:
        yield email, partial(ensure_user, email)
        for text, days, done in TASKS:
            yield f"{email}: {text}", partial(ensure_task, email, text, days, done)
        yield f"{email}: {EVENT[0]}", partial(ensure_event, email, *EVENT)


def ensure_user(email: str) -> User:
    return User.find_by_email(email) or users.sign_up(email, PASSWORD)


def ensure_task(email: str, text: str, days: int | None, done: bool) -> None:
    user = ensure_user(email)
    # A smart query: filters by name, only those that the model lists.
    if any(task.text == text for task in Task.where(user_id=user.id).all()):
        return
    context.current.set(context.Context(account_id=user.id))
    due_at = rfc3339(now() + timedelta(days=days)) if days is not None else None
    tasks.create(user, {"text": text, "done": done, "due_at": due_at})


def ensure_event(email: str, name: str, days: int, place: str) -> None:
    """With its guests and the draft of a campaign, in one transaction."""
    user = ensure_user(email)
    if any(event.name == name for event in Event.where(user_id=user.id).all()):
        return
    event = events.create(user, {"name": name, "starts_at": rfc3339(now() + timedelta(days=days)), "place": place})
    for address, guest_name, role, status in GUESTS:
        guest = guests.add(event, {"email": address, "name": guest_name, "role": role})
        guests.change(guest, {"status": status})
    campaigns.create(user, CAMPAIGN | {"event_id": event.id})


def show(number: int, total: int, what: str) -> None:
    """A bar on a terminal, a line each elsewhere."""
    if not sys.stderr.isatty():
        print(f"{number}/{total} {what}", file=sys.stderr)
        return
    bar = "█" * (30 * number // total)
    print(f"\r{bar:<30} {number}/{total} {what:<50.50}", end="\n" if number == total else "", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
