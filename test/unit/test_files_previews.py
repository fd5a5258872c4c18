"""The process that opens a stranger's file: what it is given, how long it may take, and what its end means."""

import io
import os
import signal
from collections.abc import Callable
from pathlib import Path
from unittest.mock import MagicMock, Mock

import pytest

from app.errors import PreviewImpossible
from app.helpers import previews


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a file"
    path.write_bytes(b"hello")
    return path


@pytest.fixture
def popen(monkeypatch) -> Mock:
    mock = Mock()
    monkeypatch.setattr(previews.subprocess, "Popen", mock)
    monkeypatch.setattr(previews, "TemporaryFile", io.BytesIO)
    return mock


@pytest.fixture
def process(popen) -> Callable[..., MagicMock]:
    """The process that is started: what it writes, and with which code it ends; None: it does neither in time."""

    def starting(end: int | None, output: bytes = b"", errors: bytes = b"") -> MagicMock:
        started = MagicMock()
        started.wait.return_value = end

        def start(*_command: object, stderr: io.BytesIO, **_options: object) -> MagicMock:
            reader, writer = os.pipe()
            os.write(writer, output)
            if end is None:
                started.open_end = os.fdopen(writer, "wb")
            else:
                os.close(writer)
            started.stdout = os.fdopen(reader, "rb")
            stderr.write(errors)
            return started

        popen.side_effect = start
        return started

    return starting


@pytest.mark.parametrize(
    ("media_type", "kind", "shown_as"),
    [
        ("image/png", "image", "image/webp"),
        ("application/pdf", "pdf", "image/webp"),
        ("text/csv", "csv", "application/json"),
        ("Text/X-Anything; charset=utf-8", "text", "text/plain; charset=utf-8"),
    ],
)
def test_each_type_has_its_way_and_its_preview(process, popen, path, media_type, kind, shown_as):
    process(0, b"small")
    assert previews.can_make(media_type)
    assert previews.make(path, media_type) == previews.Preview(b"small", shown_as)
    [command] = popen.call_args.args
    assert command[1:4] == ["-m", "app.commands.preview", kind]


@pytest.mark.parametrize("media_type", ["application/zip", "image/svg+xml", "application/octet-stream", "", "texts/x"])
def test_type_without_a_preview_starts_no_process(popen, path, media_type):
    assert not previews.can_make(media_type)
    with pytest.raises(PreviewImpossible, match="no previews of files of the type"):
        previews.make(path, media_type)
    popen.assert_not_called()


def test_process_gets_the_file_its_limits_and_nothing_else_of_ours(process, popen, path):
    process(0)
    previews.make(path, "image/png")
    [command], options = popen.call_args
    assert command[4:] == [str(previews.CPU_SECONDS), str(previews.TIMEOUT_SECONDS)]
    assert options["stdin"].name == str(path)
    assert (options["env"], options["start_new_session"]) == ({}, True)


def test_process_that_takes_too_long_is_killed(process, path, monkeypatch):
    monkeypatch.setattr(previews, "TIMEOUT_SECONDS", 0)
    started = process(None)
    with pytest.raises(PreviewImpossible, match="took too long"):
        previews.make(path, "image/png")
    started.kill.assert_called_once_with()
    started.wait.assert_called_once_with()
    started.open_end.close()


def test_process_does_not_outlive_an_interrupted_wait(process, path, monkeypatch):
    monkeypatch.setattr(previews.select, "select", Mock(side_effect=KeyboardInterrupt))
    started = process(0)
    with pytest.raises(KeyboardInterrupt):
        previews.make(path, "image/png")
    started.kill.assert_called_once_with()
    started.wait.assert_called_once_with()


def test_preview_that_is_longer_than_it_may_be_is_none(process, path, monkeypatch):
    monkeypatch.setattr(previews, "MOST_BYTES", 3)
    process(0, b"too long")
    with pytest.raises(PreviewImpossible, match="too large"):
        previews.make(path, "text/plain")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-signal.SIGXCPU, "took too long"),
        (-signal.SIGALRM, "took too long"),
        (-signal.SIGSEGV, "crashed"),
        (-signal.SIGABRT, "crashed"),
        (-signal.SIGSYS, "crashed"),
    ],
)
def test_what_the_file_is_to_blame_for_is_not_tried_again(process, path, code, words):
    process(code)
    with pytest.raises(PreviewImpossible, match=words):
        previews.make(path, "image/png")


@pytest.mark.parametrize("code", [1, 2, -signal.SIGKILL, -signal.SIGTERM])
def test_what_the_file_is_not_to_blame_for_may_be_tried_again(process, path, code):
    process(code, errors=b"x" * 5000 + b"the end \xff of a traceback")
    with pytest.raises(RuntimeError, match=f"ended with {code}: x+the end . of a traceback") as error:
        previews.make(path, "image/png")
    assert len(str(error.value)) < previews.LONGEST_TRACE + 100


def test_reason_of_the_process_is_told_cut_and_in_plain_characters(process, path):
    process(PreviewImpossible.exit_code, b"a\x1b[31m\xff reason " + b"x" * 500)
    with pytest.raises(PreviewImpossible) as refusal:
        previews.make(path, "image/png")
    assert refusal.value.detail.startswith("a[31m� reason xxx")
    assert len(refusal.value.detail) <= previews.LONGEST_REASON
