"""A worker's name, by which it can be seen that it is gone."""

import os
import subprocess
import sys

import pytest

from app.queue import names

HOST, PLACE, PARENT, CHILD, TOKEN = range(5)


@pytest.fixture
def ended() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def name(**parts: object) -> str:
    found = names.new(os.getppid()).rsplit(".", 4)
    for part, value in parts.items():
        found[globals()[part.upper()]] = str(value)
    return ".".join(found)


def test_living_worker_is_not_gone():
    assert not names.is_gone(name())


def test_worker_is_gone_when_both_its_halves_are(ended):
    assert names.is_gone(name(parent=ended, child=ended))


def test_worker_is_not_gone_while_one_half_lives(ended):
    assert not names.is_gone(name(parent=ended))
    assert not names.is_gone(name(child=ended))


def test_dead_process_that_nobody_has_waited_for_is_gone(ended):
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert names.is_gone(name(parent=ended, child=process.pid))
    process.wait()


def test_dots_in_the_name_of_the_host_do_no_harm(ended, monkeypatch):
    monkeypatch.setattr(names.socket, "gethostname", lambda: "a.b.example")
    assert names.is_gone(name(parent=ended, child=ended))


@pytest.mark.parametrize("text", ["", "w", "somebody else", "....", "a.b.c.d.e"])
def test_what_is_no_such_name_tells_nothing(text):
    assert not names.is_gone(text)


def test_workers_elsewhere_are_never_called_gone(ended, monkeypatch, tmp_path):
    for elsewhere in ({"place": "00000000"}, {"host": "a clone of this machine"}):
        assert not names.is_gone(name(**elsewhere, parent=ended, child=ended))
    names._here.cache_clear()
    monkeypatch.setattr(names, "BOOT", tmp_path / "none")  # a system that does not say
    assert not names.is_gone(name(parent=ended, child=ended))
    names._here.cache_clear()


def test_no_two_names_are_alike():
    assert len({names.new(1) for _ in range(20)}) == 20
