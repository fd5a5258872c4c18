"""The jobs that exist, by name. A name is `module.function` under the package of jobs: `tasks.remind` is
`app/workers/tasks.py`, `def remind`. Nothing that is not in here can ever run."""

import inspect
import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.errors import AppError
from app.models.job import LANES

Function = Callable[..., Any]
Retries = int | Sequence[float]  # how many, after 5 s, 20 s, 80 s …; or the seconds to wait before each
OPTIONS = ("at", "in_", "unique", "target", "after")  # enqueue's own words: no job may have a parameter of that name
FIRST_RETRY_SECONDS = 5
LONGEST_RETRY_SECONDS = 3600


class UnknownJob(LookupError):
    """No job has this name."""


class BadArguments(TypeError):
    """The arguments do not fit the job's signature, or are not JSON; or an option of `enqueue` makes no sense."""


@dataclass(frozen=True)
class JobType:
    name: str
    function: Function
    queue: str
    retries: Retries
    never_retry: tuple[type[BaseException], ...]
    timeout_seconds: int
    signature: inspect.Signature = field(repr=False)
    at_once: int | None = None
    per: str | None = None

    @property
    def max_attempts(self) -> int:
        return 1 + (self.retries if isinstance(self.retries, int) else len(self.retries))

    def is_hopeless(self, error: BaseException) -> bool:
        """Trying again would not help: the job says so, or the error is a refusal, such as NotFound."""
        return isinstance(error, self.never_retry) or (isinstance(error, AppError) and error.status < 500)

    def check(self, args: dict[str, Any]) -> None:
        """Raises BadArguments unless the function could be called with these after a trip through JSON."""
        try:
            self.signature.bind(**args)
        except TypeError as error:
            raise BadArguments(f"{self.name}: {error}") from None
        try:
            same = json.loads(json.dumps(args, allow_nan=False)) == args
        except (TypeError, ValueError) as error:
            raise BadArguments(f"{self.name}: arguments must be JSON: {error}") from None
        if not same:
            raise BadArguments(f"{self.name}: arguments must survive JSON unchanged: {args!r}")

    def retry_after(self, charged: int) -> float:
        """Seconds to wait after this many charged attempts: what the job lists, or 5, 20, 80 … at most an hour; ±20 %,
        so that jobs which failed together do not come back together."""
        if isinstance(self.retries, int):
            delay = min(FIRST_RETRY_SECONDS * 4.0 ** (charged - 1), LONGEST_RETRY_SECONDS)
        else:
            delay = self.retries[min(charged, len(self.retries)) - 1]  # a row may be older than the list
        return delay * random.uniform(0.8, 1.2)  # noqa: S311  # jitter, no secret


_types: dict[str, JobType] = {}
_former_names: dict[str, str] = {}


def job(
    *,
    queue: str = "default",
    retries: Retries = 4,
    never_retry: tuple[type[BaseException], ...] = (),
    timeout_seconds: int = 300,
    at_once: int | None = None,
    per: str | None = None,
    formerly: str | tuple[str, ...] = (),
) -> Callable[[Function], Function]:
    """Registers a function as a job. `formerly` keeps jobs running that were enqueued under an older name.

    `retries` is how many follow a failed attempt, or a list of the seconds to wait before each; an exception of a class
    in `never_retry` fails the job at once. At most `at_once` of them run at the same time – of those, with `per`, that
    have the same value in this argument. Raises ValueError.
    """
    if queue not in LANES:
        raise ValueError(f"queue must be one of {LANES}, not {queue!r}")
    if timeout_seconds < 1 or (at_once is not None and at_once < 1):
        raise ValueError("timeout_seconds and at_once start at 1")
    _check_retries(retries, never_retry)

    def register(function: Function) -> Function:
        name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        signature = inspect.signature(function)
        clash = set(OPTIONS) & set(signature.parameters)
        if clash:
            raise ValueError(f"{name}: {', '.join(clash)} can't be a parameter: `enqueue` takes it itself")
        if per is not None and (at_once is None or per not in signature.parameters):
            raise ValueError(f"{name}: per={per!r} needs at_once, and to be a parameter")
        known = _types.get(name)
        if known is not None and known.function.__module__ != function.__module__:
            raise ValueError(f"two jobs are called {name}")
        options = (queue, retries, never_retry, timeout_seconds, signature, at_once, per)
        _types[name] = JobType(name, function, *options)
        for former in (formerly,) if isinstance(formerly, str) else formerly:
            _former_names[former] = name
        return function

    return register


def _check_retries(retries: Any, never_retry: Any) -> None:
    listed = isinstance(retries, list | tuple)
    seconds = retries if listed else [retries]
    known = all(isinstance(value, int | float if listed else int) and type(value) is not bool for value in seconds)
    if not seconds or not known or not all(0 <= value < math.inf for value in seconds):
        raise ValueError(f"retries must be a number, or a list of seconds to wait before each retry, not {retries!r}")
    if not isinstance(never_retry, tuple) or not all(
        isinstance(kind, type) and issubclass(kind, BaseException) for kind in never_retry
    ):
        raise ValueError(f"never_retry must be a tuple of exception classes, not {never_retry!r}")


def find(name: str) -> JobType:
    """The job of this name, present or former; or UnknownJob."""
    found = _types.get(_former_names.get(name, name))
    if found is None:
        raise UnknownJob(f"no job is called {name!r}")
    return found


def timeout_of(name: str) -> int:
    """In seconds. A row may have outlived its job's code: a worker then fails it, for which a minute is plenty."""
    try:
        return find(name).timeout_seconds
    except UnknownJob:
        return 60


def names() -> list[str]:
    return sorted(_types)


def by_path(path: str) -> JobType | None:
    """The job whose name, or whose function's dotted path, this is. Looked up, never imported."""
    for kind in _types.values():
        if path in (kind.name, f"{kind.function.__module__}.{kind.function.__name__}"):
            return kind
    return None
