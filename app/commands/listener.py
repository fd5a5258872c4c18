"""The socket that the API listens on. `run.py up` opens it and keeps it, so that it outlives every restart of the web
server; and it allows as many open files as thousands of clients need."""

import contextlib
import errno
import os
import resource
import signal
import socket

from app.errors import ConfigError

BACKLOG = 4096  # who may stand in line while no web server is there; the kernel has a bound of its own (somaxconn)
STOP_ACCEPTING = signal.SIGUSR1  # to a web process, which is to end soon
FILES = 16384  # each client is one


def listen(name: str, host: str, port: int) -> socket.socket:
    """`name` is the setting that is to blame if it can't be done."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):
        raise ConfigError(f"HOST: there is no address {host!r}") from None
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # of each connection: else answers wait for 40 ms
    try:
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(f"{name}: {port} is in use already on {host}: choose another port") from None
        if error.errno == errno.EADDRNOTAVAIL:
            raise ConfigError(f"HOST: {host} is no address of this machine") from None
        raise ConfigError(f"{name}: can't listen on {host}:{port}: {error.strerror}") from None
    listener.setblocking(False)
    return listener


def stop_accepting(listener: int) -> None:
    """From now on this process accepts nothing from the socket with this number: another, to which nobody connects,
    takes its place under each of its numbers. It stays open in the process that keeps it, and clients stand in line."""
    nobody = socket.create_server(("127.0.0.1", 0))
    nobody.setblocking(False)
    ours = os.stat(listener).st_ino
    for number in map(int, os.listdir("/dev/fd")):
        with contextlib.suppress(OSError):  # the number by which this folder was read
            if os.stat(number).st_ino == ours:
                os.dup2(nobody.fileno(), number)


def allow_files() -> int:
    """Raises the limit of open files as far as needed and allowed, for this process and its children. The limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FILES:
        soft = FILES if hard == resource.RLIM_INFINITY else min(hard, FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return FILES if soft == resource.RLIM_INFINITY else soft
