"""The table at the end: measures side by side, and the mark of each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.chaos.oracle import Measures


@dataclass(frozen=True)
class Row:
    label: str
    shown: Callable[[Measures], Any]
    mark: str = ""
    is_met: Callable[[Measures], bool] = lambda _: True


def _seconds(value: float | None) -> str | None:
    return None if value is None else f"{value:.1f} s"


def _share(value: float | None) -> str | None:
    return None if value is None else f"{100 * value:.1f} %"


def _unless_none(value: int | None, *more: object) -> str | None:
    return None if value is None else " · ".join(str(one) for one in (value, *more))


def _rolling(m: Measures) -> tuple[int, int, int]:
    return m.rolling_errors, m.rolling_lost, m.rolling_doubled


ROWS = [
    Row("requests · accepted", lambda m: f"{m.asked} · {m.accepted}"),
    Row("kills · deaths at failpoints", lambda m: f"{sum(m.killed.values())} · {sum(m.failpoints.values())}"),
    Row("pauses · past the lease · wipes of Redis", lambda m: f"{m.pauses} · {m.past_the_lease} · {m.wipes}"),
    Row("accepted jobs lost", lambda m: m.lost, "0", lambda m: m.lost == 0),
    Row("jobs stuck after the drain", lambda m: m.stuck, "0", lambda m: m.stuck == 0),
    Row("effects missing", lambda m: m.missing, "0", lambda m: m.missing == 0),
    Row("effects doubled", lambda m: m.doubled, "0", lambda m: m.doubled == 0),
    Row("jobs given to others while their worker was paused", lambda m: m.fenced),
    Row("stale commits", lambda m: m.stale, "0", lambda m: m.stale == 0),
    Row("jobs failed though their code did not raise", lambda m: m.parked),
    Row("jobs cut off by a kill: started again · never", lambda m: f"{m.restarts} · {m.never_restarted}"),
    Row("… seconds to the new start, p50", lambda m: _seconds(m.restart_p50)),
    Row("… p99", lambda m: _seconds(m.restart_p99), "≤ 15 s", lambda m: (m.restart_p99 or 0) <= 15),
    Row("accepted while Redis was away", lambda m: _share(m.accepted_in_outages)),
    Row("mails · sent again", lambda m: _unless_none(m.mails, m.mails_repeated)),
    Row("… missing", lambda m: _unless_none(m.mails and m.mails_missing), "0", lambda m: m.mails_missing == 0),
    Row(
        "final failures · kinds × fewest of one",
        lambda m: _unless_none(m.failures, f"{m.failure_kinds} × {m.fewest_of_a_kind}"),
    ),
    Row("… not reported exactly once", lambda m: m.misreported, "0", lambda m: not m.misreported),
    Row(
        "rolling restarts · client errors · lost · doubled",
        lambda m: _unless_none(m.rolling, *_rolling(m)),
        "0 · 0 · 0",
        lambda m: not any(_rolling(m)),
    ),
]


def render(columns: dict[str, Measures]) -> str:
    """As Markdown. A dash is for what a system does not have."""
    lines = [["measure", *columns, "mark"]]
    for row in ROWS:
        cells = [row.shown(measures) for measures in columns.values()]
        lines.append([row.label, *("–" if cell is None else str(cell) for cell in cells), row.mark])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )


def strikes(measures: Measures) -> str:
    """What was killed, and at which points, how often; and how requests were answered, with 0 for not at all."""
    found = {"kills": measures.killed, "deaths at failpoints": measures.failpoints, "answers": measures.statuses}
    return "\n".join(
        f"{label}: {', '.join(f'{number} × {name}' for name, number in sorted(numbers.items())) or 'none'}"
        for label, numbers in found.items()
    )


def missed(measures: Measures) -> list[str]:
    """The marks that were not met."""
    return [row.label for row in ROWS if not row.is_met(measures)]
