"""`run.py ctl`: supervisord's own command line, told where ours is and what its password is."""

import os
import sys

from app import config
from app.commands.stack import CONFIG, environment


def main(arguments: list[str]) -> int:
    command = [sys.executable, "-m", "supervisor.supervisorctl", "-c", str(CONFIG), *arguments]
    os.execve(command[0], command, environment(config.load()))  # noqa: S606  # no shell wanted
