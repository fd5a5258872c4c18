"""`run.py relay`: the relay."""

from app import config
from app.commands.lifeline import die_with_parent


def main(_arguments: list[str]) -> int:
    die_with_parent()
    from app.boot import boot  # noqa: PLC0415  # a killed parent must be noticed before the slow part
    from app.queue.relay import run  # noqa: PLC0415

    boot(config.load())
    return run()
