"""How those of our programs begin that import all of the server: its web processes, the workers and the relay."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from app.commands.lifeline import die_with_parent


@contextmanager
def starting() -> Iterator[None]:
    """A killed parent is noticed before the slow part. Garbage is looked for only after it: imports leave next to
    none, and a sixth of the start would go into that. What is there in the end stays, so no later look goes over it."""
    die_with_parent()
    gc.disable()
    yield
    gc.freeze()
    gc.enable()
