"""Sends a campaign, round by round: as many messages at a time as there are connections to the mail server.

A round is one transaction, which writes down what became of the round before and marks whose turn is next; after its
commit those messages are handed over. So a process that dies leaves one round, at most, of which nobody knows whether
it was sent. Threads hand over, in `outlets.py`; the main one alone touches the database, in `recipients.py`.
"""

import logging
import time
from collections import Counter
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from app.config import settings
from app.db import session
from app.errors import ContentLost, NotFound, PayloadTooLarge
from app.helpers.mailer import Attached, Away
from app.helpers.storage import BlobMissing, storage
from app.models import Campaign, File
from app.models.base import now
from app.models.job import NEVER
from app.queue import checkpoint, failpoints, is_stopping, postpone
from app.queue.attempt import Canceled
from app.services import recipients
from app.services.campaigns import LARGEST_ATTACHMENT
from app.services.outlets import Outlets
from app.services.recipients import Letter, Turn

log = logging.getLogger(__name__)

SLICE_SECONDS = 30.0  # of sending; then others have the worker
AWAY = timedelta(seconds=5)  # the mail server was there a moment ago: it may be restarting
LONGEST_SLEEP = 1.0  # seconds; whoever has to wait longer leaves the worker to others
DATABASE_RETRIES = (0.5, 2.0, 5.0)  # seconds in between: the outcomes of a round are nowhere but in memory
ATTACHED_AT_ONCE = 32 << 20  # bytes of attachments in hand; each takes several times its size


class Delivery:
    """One attempt of the job that sends a campaign."""

    def __init__(self, campaign_id: int):
        self.campaign_id = campaign_id
        self.outlets = Outlets(settings().smtp_connections)
        self.ends_at = time.monotonic() + SLICE_SECONDS
        self.is_under_way = False  # rows that are `sending` are this attempt's own
        self.letters: list[Letter] = []  # of the round in hand
        self.counts: Counter[str] | None = None  # recipients by state
        self.attached: Attached | None = None
        self.away: Away | None = None
        self.has_sent = False
        self.after = 0  # the last recipient whose turn it was

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.outlets.close()

    def goes_on(self) -> bool:
        """Writes down the round before and marks the next one. False at the end. Postpones the job if it has to wait;
        raises Away if that is the mail server's fault, and a refusal if people have to do something."""
        for seconds in DATABASE_RETRIES:
            try:
                return self._step()
            except OperationalError as error:
                log.warning("the database is away, or others are in the way: %s", error)
                session.rollback()
                self.counts = None
                time.sleep(seconds)
        return self._step()

    def hand_over(self) -> None:
        """The round in hand; each letter gets its outcome."""
        if self.letters:
            failpoints.reach("marked")
            self.away = self.outlets.hand_over(self.letters)
            self.has_sent = self.has_sent or any(letter.outcome is None for letter in self.letters)

    def result(self) -> dict[str, int]:
        """How many recipients there are in each state."""
        return {state: number for state, number in (self.counts or {}).items() if number}

    def _step(self) -> bool:
        campaign = recipients.lock(self.campaign_id)
        if campaign is None:
            return False
        if not self.is_under_way:
            recipients.resolve(campaign)
        if self.counts is None:
            self.counts = recipients.count(campaign)
        _begin_if_due(campaign)
        recipients.note(campaign, self.letters, self.counts)
        until = self._hindered_until(campaign)
        turn = Turn()
        if campaign.status == "sending" and until is None:
            if campaign.attachment and self.attached is None and recipients.count(campaign)["pending"]:
                self._attach(campaign)
                return True
            turn = recipients.mark(campaign, self._most(), self.attached, self.counts, self.after)
            if self.after and not turn.last_id:  # from the beginning again, where some may be due by now
                turn = recipients.mark(campaign, self._most(), self.attached, self.counts, 0)
            self.after = turn.last_id
        if self.letters or turn.letters or turn.skipped:
            self._save(turn.letters)
            return True
        return campaign.is_under_way and self._rest(campaign, until)

    def _most(self) -> int:
        """Messages of a round."""
        size = len(self.attached.data) if self.attached else 0
        return min(len(self.outlets), max(1, ATTACHED_AT_ONCE // max(1, size)))

    def _hindered_until(self, campaign: Campaign) -> datetime | None:
        """When to go on, if not now."""
        moment = now()
        if campaign.status == "paused":
            return NEVER
        if campaign.status == "scheduled":
            return campaign.scheduled_at
        if self.away is not None:
            return moment + AWAY
        if is_stopping() or time.monotonic() > self.ends_at:
            return moment
        if campaign.messages_per_minute and campaign.next_message_at and campaign.next_message_at > moment:
            return campaign.next_message_at
        return None

    def _rest(self, campaign: Campaign, until: datetime | None) -> bool:
        """There is nothing to write down. True after a short sleep, False at the end."""
        until = until or recipients.first_retry(campaign)
        if until is None:
            campaign.finish()
            return False
        if self.away is not None and not self.has_sent and campaign.status == "sending":
            raise self.away
        seconds = (until - now()).total_seconds()
        if not 0 < seconds <= LONGEST_SLEEP:
            postpone(until)
        self._save([])
        time.sleep(seconds)
        return True

    def _save(self, letters: list[Letter]) -> None:
        """Commits. From now on `letters` are the round in hand."""
        counts = self.counts or Counter()
        completed, failed = counts["sent"] + counts["skipped"], counts["failed"] + counts["unknown"]
        try:
            checkpoint(completed, counts.total(), failed=failed)
        except Canceled:
            recipients.put_back(letters)
            checkpoint()  # commits that, too, and raises again
        self.letters, self.is_under_way = letters, True

    def _attach(self, campaign: Campaign) -> None:
        """Reads the attachment, outside of any transaction."""
        wanted = (File.user_id == campaign.user_id, File.sha256 == campaign.attachment)
        file = session.scalars(select(File).where(*wanted)).one_or_none()
        if file is None:
            raise NotFound("The attachment was deleted. Upload it again, or launch the campaign without it.")
        if file.size > LARGEST_ATTACHMENT:
            raise PayloadTooLarge(f"The attachment has more than {LARGEST_ATTACHMENT} bytes, which no mail can hold.")
        name, media_type, key = file.name, file.type, file.key
        self._save([])
        try:
            self.attached = Attached(name, media_type, b"".join(storage().read(key)))
        except BlobMissing:
            raise ContentLost from None


def _begin_if_due(campaign: Campaign) -> None:
    if campaign.status == "scheduled" and (campaign.scheduled_at or now()) <= now():
        campaign.status = "sending"
    if campaign.status == "sending":
        campaign.started_at = campaign.started_at or now()
