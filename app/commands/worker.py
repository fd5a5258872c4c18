"""`run.py worker`: one worker."""

from app import config
from app.commands.lifeline import die_with_parent


def main(_arguments: list[str]) -> int:
    die_with_parent()
    from app.boot import boot  # noqa: PLC0415  # a killed parent must be noticed before the slow part
    from app.queue.worker import work  # noqa: PLC0415

    settings = config.load()
    boot(settings)
    return work(settings.redis_url)
