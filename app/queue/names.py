"""A worker's name tells where it lives: `host.place.parent.child.token`. So any process of the same machine can see
that it is gone, and need not wait for its lease to run out."""

import functools
import hashlib
import os
import secrets
import socket
from pathlib import Path

import psutil

BOOT = Path("/proc/sys/kernel/random/boot_id")
NAMESPACE = Path("/proc/self/ns/pid")  # a link that names the space in which numbers of processes mean something
NOWHERE = "-"  # where the system does not say: then only the lease tells


def new(parent: int) -> str:
    """The name of a worker that begins in this process."""
    return f"{socket.gethostname()}.{_here()}.{parent}.{os.getpid()}.{secrets.token_hex(3)}"


def is_gone(name: str) -> bool:
    """Whether the worker certainly does not live any more. False as long as one half of it does, since a parent settles
    its dead child's job itself, and for workers elsewhere."""
    host, place, parent, child, _ = ["", "", "", "", *name.rsplit(".", 4)][-5:]
    is_here = (host, place) == (socket.gethostname(), _here()) and place != NOWHERE
    if not (is_here and parent.isdecimal() and child.isdecimal()):
        return False
    return not _lives(int(parent)) and not _lives(int(child))


@functools.cache
def _here() -> str:
    """This start of this machine and, on it, this container."""
    try:
        return hashlib.sha256(f"{BOOT.read_text()}{NAMESPACE.readlink()}".encode()).hexdigest()[:8]
    except OSError:
        return NOWHERE


def _lives(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
