"""`run.py relay`: the relay."""

from app import config
from app.commands.starting import starting


def main(_arguments: list[str]) -> int:
    with starting():
        from app.boot import boot  # noqa: PLC0415  # the slow part
        from app.queue.relay import run  # noqa: PLC0415

        boot(config.load())
    return run()
