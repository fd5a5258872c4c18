"""Ties a process to the one that started it, so that nothing outlives a parent that was killed.

Standard library only. Linux does this itself; elsewhere a killed supervisord leaves its programs running.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
INIT = 1  # whoever lost its parent belongs to this process


def die_with_parent(signal_number: int = signal.SIGKILL) -> None:
    """Asks the kernel to send this process the signal once its parent is dead.

    The wish survives an exec, but not a change of user.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    # A parent that died before that call sends nothing any more.
    if os.getppid() == INIT and "SUPERVISOR_ENABLED" in os.environ:
        os.kill(os.getpid(), signal_number)
