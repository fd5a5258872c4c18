"""`run.py fatal_listener`: hears from supervisord which programs it gave up, reports them, and has them tried again.

supervisord speaks on standard input and is answered on standard output; what we say goes to standard error.
"""

import os
import sys
import time
from typing import Any

from supervisor import childutils

from app import config
from app.commands.lifeline import die_with_parent
from app.helpers import monitoring

REPORT_AGAIN_SECONDS = 3600


def main(_arguments: list[str]) -> int:
    die_with_parent()
    settings = config.load()
    monitoring.configure(settings)
    supervisor = childutils.getRPCInterface(
        {
            "SUPERVISOR_USERNAME": settings.supervisor_user,
            "SUPERVISOR_PASSWORD": settings.supervisor_password,
            "SUPERVISOR_SERVER_URL": os.environ["SUPERVISOR_SERVER_URL"],
        }
    ).supervisor
    reported: dict[str, float] = {}
    while True:
        headers, payload = childutils.listener.wait(sys.stdin, sys.stdout)
        try:
            if headers["eventname"] == "PROCESS_STATE_FATAL":
                report(childutils.get_headers(payload), reported)
            else:
                try_again(supervisor)
        except Exception as error:
            say(f"could not handle {headers['eventname']}: {error}")  # the next event is as important as this one
        childutils.listener.ok(sys.stdout)


def report(event: dict[str, str], reported: dict[str, float]) -> None:
    """Once an hour per program: it goes FATAL again after each vain try."""
    name = f"{event['groupname']}:{event['processname']}"
    say(f"{name} keeps ending at its start; supervisord has given it up for now")
    now = time.monotonic()
    if now - reported.get(name, -REPORT_AGAIN_SECONDS) >= REPORT_AGAIN_SECONDS:
        reported[name] = now
        monitoring.notify(
            error_class="ProcessFatal",
            message=f"{name} keeps ending at its start",
            context={"process": name, "from_state": event.get("from_state")},
        )


def try_again(supervisor: Any) -> None:
    """What broke a program may have passed: a full disk, a database away."""
    for process in supervisor.getAllProcessInfo():
        if process["statename"] == "FATAL":
            name = f"{process['group']}:{process['name']}"
            say(f"trying {name} again")
            supervisor.startProcess(name, False)


def say(text: str) -> None:
    print(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {text}", file=sys.stderr, flush=True)
