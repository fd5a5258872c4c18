"""The server under test: a copy of it all, its mail server, and a way to its database that launches campaigns."""

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Self

import psutil
from copies import Copy, wait_for
from launches import BODY
from sqlalchemy import func, select

from app import config
from app.boot import boot
from app.config import ROOT
from app.db import reading, session
from app.models import Campaign, Job, Recipient
from bench.campaign.keeper import Postbox
from bench.chaos.failpoints import Failpoints
from bench.chaos.system import of_workers

IMPORT_SECONDS = 300  # for all guests
POINTS = ("marked", "handed-over")
INSIDE = Path(__file__).parent / "inside"


class Server:
    """What `bench.chaos.injector` strikes."""

    name = "Accepted"
    targets: tuple[str, ...] = ("worker", "child", "smtp", "redis", "failpoint")
    can_be_wiped = False

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
        self.token = made["token"]
        return self

    def __exit__(self, *error: object) -> None:
        session.remove()
        self.engine.dispose()
        self.doorbell.close()
        self.copy.__exit__(*error)
        self.postbox.__exit__(*error)
        self.folder.cleanup()

    def launch(self, guests: int, if_unknown: str) -> int:
        """Imports so many guests, and invites them by a campaign; its id."""
        event = self._ask("events", {"name": "Ball"})
        lines = ["email,name", *(f"guest{number}@example.com,Guest {number}" for number in range(guests))]
        file = self._ask("files?name=guests.csv", "\n".join(lines).encode())
        job = self._ask(f"events/{event['id']}/guests/import", {"file": file["sha256"]})
        wait_for(lambda: self._result(job["id"]) == {"added": guests, "refused": 0}, self.copy.logs, IMPORT_SECONDS)
        body = {"name": "News", "subject": "To {{ event.name }}", "body": BODY, "event_id": event["id"]}
        campaign = self._ask("campaigns", body | {"if_unknown": if_unknown})
        self._ask(f"campaigns/{campaign['id']}/launch", {})
        return int(campaign["id"])

    def _ask(self, path: str, body: Any) -> Any:
        status, made = self.copy.ask("POST", f"/api/v1/{path}", body, self.token)
        assert status in (201, 202), (path, status, made)
        return made

    def _result(self, job_id: str) -> Any:
        """What an import has come to; None until it is done."""
        _, job = self.copy.ask("GET", f"/api/v1/jobs/{job_id}", None, self.token)
        return {name: job["result"][name] for name in ("added", "refused")} if job["done"] else None

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
