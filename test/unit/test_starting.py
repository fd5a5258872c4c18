"""How the programs begin that import all of the server."""

import gc

import pytest

from app.commands import starting


def test_garbage_is_looked_for_only_after_the_start_and_never_in_what_is_there_by_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(starting, "die_with_parent", lambda: None)
    before = gc.get_freeze_count()
    with starting.starting():
        assert not gc.isenabled()
        loaded = [[]]
    assert gc.isenabled()
    assert gc.get_freeze_count() > before
    assert not any(one is loaded for one in gc.get_objects())
