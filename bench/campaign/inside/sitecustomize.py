"""Loaded by Python itself in every process of the server under test, by way of PYTHONPATH.

Where `CAMPAIGN_TIMES` names a folder, each worker notes there when each hand-over to the mail server began and ended,
so that production code holds none of this.
"""

import os
import sys
from typing import Any

FOLDER = os.environ.get("CAMPAIGN_TIMES", "")


def measure() -> None:
    import time

    from app.helpers.smtp import SmtpOutlet

    real = SmtpOutlet.hand_over

    def hand_over(self: Any, mail: Any) -> None:
        began = time.time()
        try:
            real(self, mail)
        finally:
            with open(f"{FOLDER}/{os.getpid()}", "a") as file:
                file.write(f"{began} {time.time()}\n")

    SmtpOutlet.hand_over = hand_over  # type: ignore[method-assign]


if FOLDER and sys.orig_argv[-1] == "worker":
    measure()
