"""The listening socket, and the limit of open files."""

import resource
import socket

import pytest

from app.commands import listener
from app.errors import ConfigError


def test_listens_without_delay_for_every_connection() -> None:
    with listener.listen("PORT", "127.0.0.1", 0) as server, socket.create_connection(server.getsockname()) as client:
        connection, _ = server.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert connection.getpeername() == client.getsockname()
        with pytest.raises(ConfigError, match="is in use already"):
            listener.listen("PORT", "127.0.0.1", server.getsockname()[1])


@pytest.mark.parametrize(
    ("soft", "hard", "becomes"),
    [
        (1024, 4096, 4096),
        (1024, 1 << 20, listener.FILES),
        (1024, resource.RLIM_INFINITY, listener.FILES),
        (1 << 17, 1 << 20, 1 << 17),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, listener.FILES),
    ],
)
def test_limit_of_files_only_grows(monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, becomes: int) -> None:
    limits = [(soft, hard)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, both: limits.append(both))
    assert listener.allow_files() == becomes
    assert limits[-1] in ((becomes, hard), (soft, hard))
