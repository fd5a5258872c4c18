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


ROWS = [
    Row("requests · accepted", lambda m: f"{m.asked} · {m.accepted}"),
    Row("kills · pauses · wipes of Redis", lambda m: f"{m.kills} · {m.pauses} · {m.wipes}"),
    Row("accepted jobs lost", lambda m: m.lost, "0", lambda m: m.lost == 0),
    Row("jobs stuck after the drain", lambda m: m.stuck, "0", lambda m: m.stuck == 0),
    Row("effects missing", lambda m: m.missing, "0", lambda m: m.missing == 0),
    Row("effects doubled", lambda m: m.doubled, "0", lambda m: m.doubled == 0),
    Row("stale commits", lambda m: m.stale, "0", lambda m: m.stale == 0),
    Row("jobs failed though their code did not raise", lambda m: m.parked),
    Row("jobs cut off by a kill: started again · never", lambda m: f"{m.restarts} · {m.never_restarted}"),
    Row("… seconds to the new start, p50", lambda m: _seconds(m.restart_p50)),
    Row("… p99", lambda m: _seconds(m.restart_p99), "≤ 15 s", lambda m: (m.restart_p99 or 0) <= 15),
    Row("accepted while Redis was away", lambda m: _share(m.accepted_in_outages)),
    Row("final failures", lambda m: m.failures),
    Row("… not reported exactly once", lambda m: m.misreported, "0", lambda m: not m.misreported),
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


def missed(measures: Measures) -> list[str]:
    """The marks that were not met."""
    return [row.label for row in ROWS if not row.is_met(measures)]
