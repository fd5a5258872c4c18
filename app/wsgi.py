"""What the web server loads: one application for each of its processes."""

import os
import signal
import threading

from app import create_app
from app.commands.listener import STOP_ACCEPTING, stop_accepting
from app.commands.starting import starting
from app.config import load

with starting():
    from app.queue import signals

    if "LISTEN_FD" in os.environ:
        signal.signal(STOP_ACCEPTING, lambda *_: stop_accepting(int(os.environ["LISTEN_FD"])))
    application = create_app(load())


def end_waits_at_a_signal() -> None:
    """granian handles the signals that stop this process, and lets requests in hand finish; so those that only wait
    must hear of it. Python writes the number of each signal that it handles to the pipe."""
    pipe, end = os.pipe()
    os.set_blocking(end, False)
    signal.set_wakeup_fd(end, warn_on_full_buffer=False)

    def hear() -> None:
        os.read(pipe, 1)
        signals.close()

    threading.Thread(target=hear, name="signals", daemon=True).start()


end_waits_at_a_signal()
