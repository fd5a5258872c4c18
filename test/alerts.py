"""What the tests of alerts share: settings that report to a collector, an exception, a secret to look for."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from collector import Collector

from app import config
from app.helpers import monitoring
from app.queue import reports

CANARY = uuid.uuid4().hex + "Xy"  # never in a source line, which notices show


def environment(collector: Collector, folder: Path) -> dict[str, str]:
    return {
        "APP_ENV": "test",
        "DATA_DIR": str(folder),
        "SECRET_KEY": f"key-{CANARY}",
        "HONEYBADGER_API_KEY": "hb-key",
        "HONEYBADGER_ENDPOINT": collector.url,
    }


@contextmanager
def reporting_to(collector: Collector, folder: Path) -> Iterator[config.Settings]:
    """This process reports to the collector, from an empty queue to an empty queue."""
    settings = config.load(environment(collector, folder))
    monitoring.configure(settings)
    monitoring._start_afresh()
    yield settings
    collector.status, collector.silent = 201, False
    assert monitoring.flush(10)
    monitoring.configure(replace(settings, honeybadger_api_key=None))


@contextmanager
def collecting(settings: config.Settings) -> Iterator[Collector]:
    """What this process reports arrives in the collector; what earlier tests reported is forgotten."""
    reports._told.clear()
    reports._away_until[:] = [0.0]
    with Collector() as running:
        monitoring.configure(replace(settings, honeybadger_api_key="key", honeybadger_endpoint=running.url))
        yield running
        running.silent = False
        monitoring.flush()
        monitoring.configure(settings)


def fall(text: str = "the floor is gone") -> None:
    raise LookupError(text)


def fallen(text: str = "the floor is gone") -> LookupError:
    """An exception that was raised, so that it has a traceback."""
    try:
        fall(text)
    except LookupError as error:
        return error
    raise AssertionError
