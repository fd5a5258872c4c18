"""`run.py up`: checks what can be checked, migrates, starts everything in the foreground, and says where it is."""

import fcntl
import os
import signal
import socket
import sys
import time

from app import config
from app.commands import binaries, environment, migrate
from app.commands.listener import FILES, allow_files, listen
from app.commands.stack import Stack, local_host, password_place
from app.config import Settings
from app.errors import ConfigError

BANNER = """\
Accepted is ready, after {seconds:.1f} s.

  API         {url}/api/v1     (what there is: {url}/)
  Jobs        {url}/internal/rq
  Processes   http://127.0.0.1:{settings.supervisor_port}
  Operator    name {settings.supervisor_user!r}, password {password}
  Logs        {settings.log_dir}

  A first request:
  curl -X POST {url}/api/v1/user -H 'Content-Type: application/json' \\
       -d '{{"email": "alice@example.com", "password": "correct horse battery"}}'

  Ctrl-C stops everything.
"""


def main(arguments: list[str]) -> int:
    start = time.monotonic()
    if arguments:
        raise ConfigError(f"up takes no arguments, got: {' '.join(arguments)}")
    os.umask(0o027)  # people's data: whatever this and its children write is no business of other users
    settings = config.load()
    files = allow_files()
    stack = Stack(settings)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stack.stop())
    listener = open_ports(settings)
    claim = make_directories(settings)
    if settings.redis_is_local:
        choose_redis(settings)
    migrate.migrate(settings)
    if stack.stopping:
        return 0
    if files < FILES:
        show(f"accepted: {files} open files are allowed (ulimit -Hn): about as many clients at once, not {FILES}")
    stack.start(listener)
    if stack.wait_until_ready(lambda text: print(f"accepted: {text}", file=sys.stderr)):
        url = f"http://{local_host(settings)}:{settings.port}"
        seconds, password = time.monotonic() - start, password_place(settings)
        show(BANNER.format(settings=settings, url=url, password=password, seconds=seconds))
    code = stack.wait()
    os.close(claim)
    if stack.stopping:
        return 0
    print(f"accepted: supervisord ended ({code}); its log: {settings.log_dir}/supervisord.log", file=sys.stderr)
    return 1


def show(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:  # whoever read our output has gone; the server goes on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def open_ports(settings: Settings) -> socket.socket:
    """Listens for the API; makes sure that supervisord will be able to, too."""
    if settings.port == settings.supervisor_port:
        raise ConfigError(f"SUPERVISOR_PORT: must differ from PORT, both are {settings.port}")
    listener = listen("PORT", settings.host, settings.port)
    listen("SUPERVISOR_PORT", "127.0.0.1", settings.supervisor_port).close()
    return listener


def make_directories(settings: Settings) -> int:
    """Returns the open file that marks the data as ours: two copies on the same data would ruin it."""
    for name, path in (("DATA_DIR", settings.data_dir), ("LOG_DIR", settings.log_dir)):
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            (path / ".probe").touch()
            (path / ".probe").unlink()
        except OSError as error:
            raise ConfigError(f"{name}: can't write to {path}: {error.strerror}") from None
    claim = os.open(settings.data_dir, os.O_RDONLY)
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigError(f"DATA_DIR: {settings.data_dir} is in use by another running copy") from None
    return claim


def choose_redis(settings: Settings) -> None:
    """Makes sure that there is a server for `run.py redis`, and remembers which."""
    data = settings.data_dir / "redis"
    data.mkdir(mode=0o700, exist_ok=True)
    binary = binaries.redis_binary(data=data)
    if binary is None:
        environment.add("redis")
        binary = binaries.redis_binary(data=data)
    if binary is None:
        raise ConfigError(f"REDIS_SERVER_BIN: there is no Redis server here that can read the data in {data}: name one")
    binaries.record(binary, data)
