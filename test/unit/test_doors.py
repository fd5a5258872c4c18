"""The doors: how many run at once, and what others may do meanwhile."""

import threading

import pytest

from app.helpers import doors


@pytest.fixture(autouse=True)
def narrow_doors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "ordinary", threading.BoundedSemaphore(1))
    monkeypatch.setattr(doors, "patient", threading.BoundedSemaphore(1))


def is_free(door: threading.Semaphore) -> bool:
    if not door.acquire(blocking=False):
        return False
    door.release()
    return True


@pytest.mark.parametrize(
    ("path", "prefer", "free"),
    [
        ("/api/v1/tasks", "", (False, True)),
        ("/api/v1/tasks", "respond-async", (False, True)),
        ("/api/v1/baz", "respond-async, wait=5", (True, False)),
        ("/api/v1/jobs/1/events", "", (True, False)),
    ],
)
def test_each_kind_of_request_has_its_door(path: str, prefer: str, free: tuple[bool, bool]) -> None:
    seen = []

    def application(_environ, _start):
        seen.append((is_free(doors.ordinary), is_free(doors.patient)))
        with doors.stepping_aside():
            seen.append((is_free(doors.ordinary), is_free(doors.patient)))
        seen.append((is_free(doors.ordinary), is_free(doors.patient)))
        return []

    doors.in_turns(application)({"PATH_INFO": path, "HTTP_PREFER": prefer}, None)
    assert seen == [free, (True, True), free]
    assert is_free(doors.ordinary)
    assert is_free(doors.patient)


def test_outside_a_turn_there_is_nothing_to_step_aside_from() -> None:
    with doors.stepping_aside():
        assert is_free(doors.patient)


def test_who_fails_gives_up_the_turn() -> None:
    with pytest.raises(ValueError, match="x"), doors.turn(doors.patient):
        raise ValueError("x")
    assert is_free(doors.patient)
