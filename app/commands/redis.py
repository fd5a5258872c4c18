"""`run.py redis`: becomes the local Redis server. `up` has made sure that there is one."""

import os
from urllib.parse import unquote

from app import config
from app.commands.binaries import redis_binary
from app.commands.lifeline import die_with_parent
from app.config import ROOT
from app.errors import ConfigError


def main(_arguments: list[str]) -> int:
    die_with_parent()
    settings = config.load()
    if not settings.redis_is_local:
        raise ConfigError("REDIS_URL: names another Redis, so there is none to run here")
    data = settings.data_dir / "redis"
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    binary = redis_binary(data=data)
    if binary is None:
        raise ConfigError("REDIS_SERVER_BIN: there is no Redis server here: name one, or start by `run.py up`")
    socket = unquote(settings.redis_url.removeprefix("unix://"))
    if "LISTEN_FD" in os.environ:  # the API's own: no business of Redis
        os.set_inheritable(int(os.environ["LISTEN_FD"]), False)
    words = [str(binary.path), str(ROOT / "redis.conf"), "--dir", str(data), "--unixsocket", socket]
    os.execv(words[0], words)  # noqa: S606  # no shell wanted
