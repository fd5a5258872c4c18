"""Compares the rows of a campaign with what its mail server wrote down. Counts only, and marks."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

ENDS = ("sent", "failed", "unknown", "skipped")
Received = Counter[tuple[str, str]]  # how often each mail came, by key and address


@dataclass
class Findings:
    policy: str
    guests: int
    status: str
    states: Counter[str]
    rows: int
    addresses: int  # with a row
    mails: int  # that came, each counted once
    doubled: int  # that came more than once
    stray: int  # that belong to no row which says `sent` or `unknown`
    missing: int  # rows without an end, or `sent` and never received
    unknown: dict[str, int] = field(default_factory=dict)  # by address: how often the mail did come

    @property
    def missed(self) -> list[str]:
        """The marks that were not met."""
        is_careful = self.policy == "leave"
        marks = {
            "the campaign is done": self.status == "done",
            "one row for each guest": self.rows == self.addresses == self.guests,
            "no message is missing": self.missing == 0,
            "no mail belongs to nobody": self.stray == 0,
            "no guest got two mails": self.doubled == 0 or not is_careful,
            "nothing is unknown": not self.unknown or is_careful,
        }
        return [mark for mark, is_met in marks.items() if not is_met]


def judge(policy: str, campaign_id: int, guests: int, status: str, rows: list[Any], received: Received) -> Findings:
    """`rows` have id, address, state and error."""
    came = {row.id: received[f"campaign-{campaign_id}-{row.id}", row.email] for row in rows}
    wanted = {(f"campaign-{campaign_id}-{row.id}", row.email) for row in rows if row.state in ("sent", "unknown")}
    return Findings(
        policy=policy,
        guests=guests,
        status=status,
        states=Counter(row.state for row in rows),
        rows=len(rows),
        addresses=len({row.email for row in rows}),
        mails=len(received),
        doubled=sum(number > 1 for number in Counter(_addresses(received)).values()),
        stray=len(received.keys() - wanted),
        missing=sum(row.state not in ENDS or (row.state == "sent" and not came[row.id]) for row in rows),
        unknown={row.email: came[row.id] for row in rows if row.state == "unknown"},
    )


def _addresses(received: Received) -> list[str]:
    return [to for (_, to), number in received.items() for _ in range(number)]


def busy_seconds(spans: list[tuple[float, float]]) -> float:
    """How long at least one of them lasted."""
    total = until = 0.0
    for began, ended in sorted(spans):
        total += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return total
