"""Where a line of the log goes: to standard error, or under supervisord to the stream of its level."""

import json
import logging
from collections.abc import Callable, Iterator

import pytest

from app.config import load
from app.helpers import logs

LEVELS = [logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR]
Said = tuple[list[str], list[str]]


@pytest.fixture
def log_everything(tmp_path, monkeypatch, capsys) -> Iterator[Callable[..., Said]]:
    """Says something at each level; the lines on standard output, and those on standard error."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level

    def log_at_each_level(**env: str) -> Said:
        monkeypatch.delenv("SUPERVISOR_ENABLED", raising=False)
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        logs.configure(load({"DATA_DIR": str(tmp_path), "LOG_LEVEL": "DEBUG", **env}))
        for number in LEVELS:
            logging.getLogger("somebody").log(number, logging.getLevelName(number).lower())
        said = capsys.readouterr()
        return said.out.splitlines(), said.err.splitlines()

    yield log_at_each_level
    root.handlers[:] = before
    root.setLevel(level)


def test_without_supervisord_all_goes_to_standard_error(log_everything):
    out, err = log_everything()
    assert out == []
    assert [line.rpartition(" ")[2] for line in err] == ["debug", "info", "warning", "error"]


def test_supervisord_gets_each_line_on_the_stream_of_its_level(log_everything):
    for _ in range(2):  # the second time changes nothing
        out, err = log_everything(SUPERVISOR_ENABLED="1")
        assert [line.rpartition(" ")[2] for line in out] == ["debug", "info"]
        assert [line.rpartition(" ")[2] for line in err] == ["warning", "error"]


def test_json_goes_the_same_ways(log_everything):
    out, err = log_everything(SUPERVISOR_ENABLED="1", LOG_FORMAT="json")
    assert [json.loads(line)["level"] for line in out] == ["DEBUG", "INFO"]
    assert [json.loads(line)["level"] for line in err] == ["WARNING", "ERROR"]
