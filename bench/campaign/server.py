"""The server under test: a copy of it all, its mail server, and a way to its database that launches campaigns."""

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import psutil
import redis
from copies import Copy
from launches import BODY
from sqlalchemy import func, insert, select

from app import config
from app.boot import boot
from app.config import ROOT
from app.db import reading, session
from app.models import Campaign, Event, Guest, Job, Recipient
from app.models.base import now
from app.models.guest import new_link_key
from bench.campaign.keeper import Postbox
from bench.chaos.failpoints import Failpoints
from bench.chaos.system import of_workers

POINTS = ("marked", "handed-over")
INSIDE = Path(__file__).parent / "inside"


class Server:
    """What `bench.chaos.injector` strikes."""

    name = "Accepted"
    targets: tuple[str, ...] = ("worker", "child", "smtp", "redis", "failpoint")
    can_be_wiped = True

    def __init__(self, database_url: str, workers: int, connections: int, answer_seconds: float = 0.0):
        self.database_url = database_url
        self.folder = tempfile.TemporaryDirectory(prefix="accepted-campaign-")
        self.armed, self.times = Path(self.folder.name) / "armed", Path(self.folder.name) / "times"
        self.armed.mkdir()
        self.times.mkdir()
        self.failpoints = Failpoints(self.armed, POINTS)
        self.postbox = Postbox(Path(self.folder.name), answer_seconds)
        self.settings = {
            "APP_ENV": "development",
            "PYTHONPATH": f"{INSIDE}:{ROOT}",
            "WORKERS": str(workers),
            "SMTP_URL": self.postbox.url,
            "SMTP_CONNECTIONS": str(connections),
            "ACCEPTED_FAILPOINTS": str(self.armed),
            "CAMPAIGN_TIMES": str(self.times),
            **({"DATABASE_URL": database_url} if database_url else {}),
        }

    def __enter__(self) -> Self:
        self.postbox.__enter__()
        self.copy = Copy(**self.settings)
        self.copy.__enter__()
        self.engine, self.doorbell = boot(config.load(self.copy.environment()))
        status, made = self.copy.ask("POST", "/api/v1/user", {"email": "a@example.com", "password": "correct horse"})
        assert status == 201, (status, made)
        self.user_id, self.token = made["id"], made["token"]
        return self

    def __exit__(self, *error: object) -> None:
        session.remove()
        self.engine.dispose()
        self.doorbell.close()
        self.copy.__exit__(*error)
        self.postbox.__exit__(*error)
        self.folder.cleanup()

    def launch(self, guests: int, if_unknown: str) -> int:
        """A campaign to so many guests; its id."""
        event_id = Event.create(user_id=self.user_id, name="Ball").id
        session.execute(insert(Guest), [_guest(event_id, f"guest{number}@example.com") for number in range(guests)])
        session.commit()
        body = {"name": "News", "subject": "To {{ event.name }}", "body": BODY, "event_id": event_id}
        status, made = self.copy.ask("POST", "/api/v1/campaigns", body | {"if_unknown": if_unknown}, self.token)
        assert status == 201, (status, made)
        status, job = self.copy.ask("POST", f"/api/v1/campaigns/{made['id']}/launch", {}, self.token)
        assert status == 202, (status, job)
        return int(made["id"])

    def look(self, campaign_id: int) -> tuple[str, Counter[str]]:
        """The campaign's status, and its recipients by state."""
        query = select(Recipient.state, func.count()).where(Recipient.campaign_id == campaign_id)
        with reading():
            status = session.scalar(select(Campaign.status).where(Campaign.id == campaign_id))
            return str(status), Counter(dict(session.execute(query.group_by(Recipient.state)).all()))

    def rows(self, campaign_id: int) -> list[Any]:
        """Id, address, state and error of each recipient."""
        columns = (Recipient.id, Recipient.email, Recipient.state, Recipient.error)
        with reading():
            return list(session.execute(select(*columns).where(Recipient.campaign_id == campaign_id)))

    def job(self, campaign_id: int) -> Any:
        """Status and attempts of the job that sends it, and the error that it may have ended with."""
        columns = (Job.status, Job.attempt, Job.error)
        with reading():
            sender = select(*columns).join(Campaign, Campaign.job_id == Job.id).where(Campaign.id == campaign_id)
            return session.execute(sender).one()

    def spans(self) -> list[tuple[float, float]]:
        """When each hand-over began and ended."""
        lines = [line for path in self.times.iterdir() for line in path.read_text().splitlines()]
        return sorted((float(began), float(ended)) for began, ended in map(str.split, lines))

    def processes(self, target: str) -> list[psutil.Process]:
        if target == "smtp":
            return self.postbox.processes()
        if target in ("worker", "child"):
            return of_workers(self.copy.processes("worker"), target)
        return self.copy.processes(target)

    def pid_of(self, process: psutil.Process) -> int:
        return process.pid

    def wipe(self) -> None:
        """Raises RedisError if Redis is away."""
        url = f"unix://{quote(str(self.copy.folder / 'var' / 'redis' / 'redis.sock'))}"
        with redis.Redis.from_url(url, socket_timeout=1) as client:
            client.flushall()


def _guest(event_id: int, email: str) -> dict[str, Any]:
    moment = now()
    facts = {"event_id": event_id, "email": email, "email_key": email, "name": email.partition("@")[0]}
    return facts | {"status": "added", "link_key": new_link_key(), "created_at": moment, "updated_at": moment}
