"""Who asked for what is being done right now: on every log line, job row and alert, set at the two doors."""

from contextvars import ContextVar
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Context:
    request_id: str | None = None
    account_id: int | None = None
    job_id: str | None = None
    job_type: str | None = None
    attempt: int | None = None

    def fields(self) -> dict[str, Any]:
        """The known parts alone."""
        return {name: value for name, value in asdict(self).items() if value is not None}


current: ContextVar[Context] = ContextVar("current", default=Context())  # noqa: B039  # frozen


def get() -> Context:
    return current.get()
