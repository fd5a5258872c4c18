"""How `.venv` is judged, and which of several server programs is taken."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from app.commands import binaries, environment
from app.commands.binaries import RedisBinary
from app.errors import ConfigError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with requirement files and no environment yet."""
    for name in environment.BASE:
        (tmp_path / name).write_text(f"{name}==1\n")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(environment, "STAMP", tmp_path / ".venv" / "accepted.stamp")
    (tmp_path / ".venv").mkdir()
    return tmp_path


def stamp() -> None:
    environment.STAMP.write_text(environment._fingerprint(*environment.BASE))


def test_half_made_environment_is_not_ready(project: Path) -> None:
    assert not environment.is_ready()
    stamp()
    assert environment.is_ready()


@pytest.mark.parametrize("name", environment.BASE)
def test_changed_requirements_call_for_a_new_environment(project: Path, name: str) -> None:
    stamp()
    (project / name).write_text("other==2\n")
    assert not environment.is_ready()


def test_other_python_calls_for_a_new_environment(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamp()
    monkeypatch.setattr(environment.sys, "version", "3.99.0")
    assert not environment.is_ready()


def test_moved_environment_is_not_ready(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamp()
    monkeypatch.setattr(environment, "VENV", project / "elsewhere")
    assert not environment.is_ready()


def index(project: Path, monkeypatch: pytest.MonkeyPatch, *, pinned: bytes, served: bytes) -> None:
    """A package index with one pip, beside requirements that pin one."""
    digest = hashlib.sha256(pinned).hexdigest()
    (project / environment.SETUP).write_text(f"pip==99.1 \\\n    --hash=sha256:{digest}\n")
    name = "pip-99.1-py3-none-any.whl"
    pages = {
        "https://index.test/simple/pip/": f'<a href="../../files/{name}#sha256=00">{name}</a>'.encode(),
        f"https://index.test/files/{name}": served,
    }
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.test/simple/")
    monkeypatch.setattr(environment, "_fetch", pages.__getitem__)


def test_pip_is_fetched_from_the_index(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index(project, monkeypatch, pinned=b"wheel", served=b"wheel")
    assert environment._download_pip(project).read_bytes() == b"wheel"


def test_pip_with_another_hash_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index(project, monkeypatch, pinned=b"wheel", served=b"forged")
    with pytest.raises(environment.SetupError, match="right hash"):
        environment._download_pip(project)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (["WARNING: Retrying … NewConnectionError: refused", "ERROR: No matching"], "index can't be reached"),
        (["WARNING: … CERTIFICATE_VERIFY_FAILED] …", "ERROR: No matching"], "PIP_CERT"),
        (["WARNING: noise", "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "six: …"], "^THESE PACKAGES .*\nsix"),
        ([], "no reason"),
    ],
)
def test_failed_setup_says_why(output: list[str], reason: str) -> None:
    with pytest.raises(environment.SetupError, match=reason):
        raise environment.SetupError(environment._reason(output))


@pytest.mark.parametrize(("uv", "wanted"), [(0, ["uv", "compileall"]), (2, ["uv", "pip", "compileall"])])
def test_what_uv_can_not_install_pip_does(
    project: Path, monkeypatch: pytest.MonkeyPatch, uv: int, wanted: list[str]
) -> None:
    ran: list[str] = []

    def run(words: list[str]) -> subprocess.CompletedProcess[bytes]:
        ran.append("uv" if words[0].endswith("/uv") else words[3])
        return subprocess.CompletedProcess(words, uv if ran[-1] == "uv" else 0, b"")

    monkeypatch.setattr(environment, "_run", run)
    environment._install(environment.VENV, "requirements.txt")
    assert ran == wanted


REDIS_7 = RedisBinary(Path("/usr/bin/redis-server"), "redis", (7, 0, 15))
REDIS_6 = RedisBinary(Path("/opt/redis-server"), "redis", (6, 2, 14))
VALKEY_9 = RedisBinary(Path("/opt/valkey-server"), "valkey", (9, 1, 2))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[RedisBinary]:
    """The servers of an imagined machine, in the order in which they are found."""
    found: list[RedisBinary] = []
    monkeypatch.setattr(binaries, "_redis_candidates", lambda: iter([binary.path for binary in found]))
    monkeypatch.setattr(binaries, "identify", lambda path: next((one for one in found if one.path == path), None))
    return found


def test_first_server_that_is_new_enough_is_taken(installed: list[RedisBinary]) -> None:
    assert binaries.redis_binary({}) is None
    installed += [REDIS_6, REDIS_7, VALKEY_9]
    assert binaries.redis_binary({}) == REDIS_7


def test_named_server_comes_first(installed: list[RedisBinary]) -> None:
    installed += [REDIS_7, VALKEY_9]
    assert binaries.redis_binary({"REDIS_SERVER_BIN": str(VALKEY_9.path)}) == VALKEY_9
    with pytest.raises(ConfigError, match=r"^REDIS_SERVER_BIN: /bin/false is not"):
        binaries.redis_binary({"REDIS_SERVER_BIN": "/bin/false"})


def test_server_that_wrote_the_data_is_kept(installed: list[RedisBinary], tmp_path: Path) -> None:
    installed.append(VALKEY_9)
    binaries.record(VALKEY_9, tmp_path)
    installed.insert(0, REDIS_7)
    assert binaries.redis_binary({}, tmp_path) == VALKEY_9


def test_server_that_can_not_read_the_data_is_refused(installed: list[RedisBinary], tmp_path: Path) -> None:
    binaries.record(VALKEY_9, tmp_path)
    installed.append(REDIS_7)
    assert binaries.redis_binary({}, tmp_path) is None
    with pytest.raises(ConfigError, match=r"written by valkey 9\.1\.2"):
        binaries.redis_binary({"REDIS_SERVER_BIN": str(REDIS_7.path)}, tmp_path)


def test_newer_server_takes_over_the_data(installed: list[RedisBinary], tmp_path: Path) -> None:
    binaries.record(REDIS_7, tmp_path)
    installed.append(VALKEY_9)
    assert binaries.redis_binary({}, tmp_path) == VALKEY_9


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", ("redis", (7, 0, 15))),
        ("Valkey server v=9.1.2 sha=00000000:1 malloc=libc bits=64", ("valkey", (9, 1, 2))),
        ("bash, version 5.2", None),
    ],
)
def test_server_says_what_it_is(tmp_path: Path, answer: str, expected: tuple[str, tuple[int, ...]] | None) -> None:
    program = tmp_path / "server"
    program.write_text(f"#!/bin/sh\necho '{answer}'\n")
    program.chmod(0o755)
    found = binaries.identify(program)
    assert (found and (found.product, found.version)) == expected


def test_postgres_folder_that_is_named_must_hold_postgres(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^PG_BINDIR: "):
        binaries.postgres_bindir({"PG_BINDIR": str(tmp_path)})
