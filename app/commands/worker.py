"""`run.py worker`: one worker, which is a parent that watches and a child that works."""

from functools import partial

from app import config
from app.commands.lifeline import die_with_parent
from app.commands.starting import starting


def main(_arguments: list[str]) -> int:
    with starting():
        from app.boot import boot  # noqa: PLC0415  # the slow part
        from app.queue.watch import Watch  # noqa: PLC0415
        from app.queue.worker import work  # noqa: PLC0415

        settings = config.load()
        boot(settings)
    return Watch(partial(work, settings.redis_url), die_with_parent, settings.worker_memory_mb << 20).run()
