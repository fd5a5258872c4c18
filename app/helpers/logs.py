"""Logging: one line an event, with the ids of the request or job in hand. On standard error, as programs do; under
supervisord, which writes each stream to rotating files of its own, what is below WARNING goes to standard output."""

import json
import logging
import os
import re
import sys
from datetime import UTC, datetime

from app.config import Settings
from app.helpers import context

NOISY = ("rq.worker", "rq.job", "rq.queue", "_granian", "granian.access", "alembic")
# A token in a line is a mistake of whoever logged it; it must not become a leak.
SECRET = re.compile(r"(?i)(bearer\s+|\bac[cilru]_|://[^/\s:@]*:)[^\s@\"']+")


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return SECRET.sub(r"\1***", super().format(record))


class TextFormatter(_Formatter):
    """`2026-11-21T13:30:00.000Z INFO app.queue.runner message [request_id=… job_id=…]`"""

    def formatMessage(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        ids = " ".join(f"{name}={value}" for name, value in context.get().fields().items())
        return f"{moment} {record.levelname} {record.name} {record.message}" + (f" [{ids}]" if ids else "")


class JsonFormatter(_Formatter):
    """One JSON object a line, its traceback inside."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        trace, record.exc_text, record.exc_info = record.exc_text, None, None
        fields = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.message,
            **({"trace": trace} if trace else {}),
            **context.get().fields(),
        }
        return json.dumps(fields, ensure_ascii=False)


def configure(settings: Settings) -> None:
    """Replaces whatever handlers there were, so that a second call changes nothing."""
    handlers = [logging.StreamHandler(sys.stderr)]
    if "SUPERVISOR_ENABLED" in os.environ:
        handlers[0].setLevel(logging.WARNING)
        handlers.append(logging.StreamHandler(sys.stdout))
        handlers[1].addFilter(lambda record: record.levelno < logging.WARNING)
    root = logging.getLogger()
    for old in [h for h in root.handlers if isinstance(h.formatter, _Formatter)]:
        root.removeHandler(old)
    for handler in handlers:
        handler.setFormatter(JsonFormatter() if settings.log_format == "json" else TextFormatter())
        root.addHandler(handler)
    root.setLevel(logging.DEBUG if settings.debug else settings.log_level)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
