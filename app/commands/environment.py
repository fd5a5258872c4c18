"""Makes the environment `.venv`: pinned packages, checked by their hashes, with nothing on the machine but Python.

Standard library only, and nothing of `app`: `run.py` loads this file before any package is there.
"""

import contextlib
import fcntl
import hashlib
import importlib
import importlib.util
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "accepted.stamp"  # written last: without it, the environment is half made
SETUP = "requirements-setup.txt"
BASE = (SETUP, "requirements.txt")
DEFAULT_INDEX = "https://pypi.org/simple"
NEVER_IMPORTED = r"/(pip|pygments|mypy|mypyc)/|/tests?/"  # or hardly: that need not be compiled beforehand


class SetupError(Exception):
    """The environment can't be made. The message says what is missing."""


def is_ready() -> bool:
    return _read(STAMP) == _fingerprint(*BASE)


def make(*extras: str) -> None:
    """Makes the environment anew, with these extras at once, unless another start has just done so."""
    with _lock():
        if is_ready():
            return
        with _progress("Setting up .venv (once)"):
            shutil.rmtree(VENV, ignore_errors=True)
            _make_venv()
            with tempfile.TemporaryDirectory(dir=VENV) as scratch:
                _pip(_first_pip(Path(scratch)), SETUP)
            _install(VENV, *BASE[1:], *map(_file, extras))
            _write_stamps(VENV, extras)
            STAMP.write_text(_fingerprint(*BASE))


def add(*extras: str) -> None:
    """Adds requirements-<extra>.txt of each to the environment we are in, once."""
    folder = Path(sys.prefix)
    with _lock():
        missing = [extra for extra in extras if _read(_stamp(folder, extra)) != _fingerprint(*BASE, _file(extra))]
        if missing:
            files = [_file(extra) for extra in missing]
            with _progress(f"Adding {' and '.join(files)} (once)"):
                _install(folder, *files)
                _write_stamps(folder, missing)
    importlib.invalidate_caches()


def _write_stamps(folder: Path, extras: Iterable[str]) -> None:
    for extra in extras:
        _stamp(folder, extra).write_text(_fingerprint(*BASE, _file(extra)))


def _file(extra: str) -> str:
    return f"requirements-{extra}.txt"


def _stamp(folder: Path, extra: str) -> Path:
    return folder / f"accepted-{extra}.stamp"


def _fingerprint(*files: str) -> str:
    """Changes with the requirements, with the interpreter, and with the place: a moved environment does not work."""
    digest = hashlib.sha256()
    for part in (sys.version, os.path.realpath(sys._base_executable), str(VENV)):  # type: ignore[attr-defined]
        digest.update(part.encode() + b"\0")
    for name in files:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    """One set-up at a time. The lock is on a file that is there anyway, and ends with the process that holds it."""
    with (ROOT / "requirements.txt").open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another run is setting up .venv: waiting for it …", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _progress(text: str) -> Iterator[None]:
    """One line that counts the seconds on a terminal."""
    start, done, terminal = time.monotonic(), threading.Event(), sys.stdout.isatty()

    def tick() -> None:
        while not done.wait(1):
            print(f"\r{text} … {time.monotonic() - start:.0f} s", end="", flush=True)

    print(f"{text} …", end="", flush=True)
    if terminal:
        threading.Thread(target=tick, daemon=True).start()
    try:
        yield
        done.set()
        print(f"\r{text} …" if terminal else "", f"done in {time.monotonic() - start:.0f} s", flush=True)
    except BaseException:
        done.set()
        print(flush=True)
        raise


def _make_venv() -> None:
    """Without pip: that part is what a Debian without python3-venv can't do, and the slowest."""
    try:
        import venv  # noqa: PLC0415  # missing on a machine that has only python3-minimal

        venv.create(VENV, with_pip=False, symlinks=True)
    except ImportError:
        raise SetupError("this Python has no `venv` module: install Python completely (Debian: python3)") from None
    except OSError as error:
        raise SetupError(f"can't make {VENV}: {error.strerror or error}") from None


def _first_pip(scratch: Path) -> list[str]:
    """A pip to begin with: the one that Python carries for `ensurepip`, an installed one, or one from the index."""
    if wheel := _bundled_pip():
        return [str(PYTHON), "-I", f"{wheel}/pip"]
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    return [str(PYTHON), "-I", f"{_download_pip(scratch)}/pip"]


def _bundled_pip() -> Path | None:
    try:
        ensurepip = importlib.import_module("ensurepip")
    except ImportError:
        return None
    folders = [Path(str(ensurepip.__file__)).parent / "_bundled", Path("/usr/share/python-wheels")]
    return next((wheel for folder in folders for wheel in sorted(folder.glob("pip-*.whl"))), None)


def _download_pip(folder: Path) -> Path:
    """Pip's own wheel, of the version and with the hash that requirements-setup.txt names."""
    pinned = (ROOT / SETUP).read_text()
    version = re.findall(r"^pip==(\S+)", pinned, re.MULTILINE)[0]
    name = f"pip-{version}-py3-none-any.whl"
    index = os.environ.get("PIP_INDEX_URL", DEFAULT_INDEX).rstrip("/") + "/pip/"
    try:
        links = re.findall(r"""href=["']([^"']+)""", _fetch(index).decode())
        address = next((link for link in links if urllib.parse.urlsplit(link).path.endswith(f"/{name}")), None)
        content = _fetch(urllib.parse.urldefrag(urllib.parse.urljoin(index, address)).url) if address else b""
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise SetupError(f"there is no pip here, and {index} can't be reached: {reason}") from None
    if f"sha256:{hashlib.sha256(content).hexdigest()}" not in pinned:
        raise SetupError(f"there is no pip here, and {index} has no {name} with the right hash")
    wheel = folder / name
    wheel.write_bytes(content)
    return wheel


def _fetch(address: str) -> bytes:
    if not address.startswith(("https://", "http://", "file://")):
        raise ValueError(f"unknown kind of address: {address}")
    # A bare machine has no certificates to check against, and need not: the hash decides what is used.
    anyone = ssl._create_unverified_context()  # noqa: S323
    with urllib.request.urlopen(address, timeout=30, context=anyone) as answer:  # noqa: S310  # checked above
        return bytes(answer.read())


def _install(folder: Path, *files: str) -> None:
    """Installs and compiles them: by uv, in a third of pip's time; by pip, should an index be known to pip alone."""
    python, cache = str(folder / "bin" / "python"), folder / "cache"
    uv = [str(folder / "bin" / "uv"), "pip", "install", "--quiet", "--python", python, "--require-hashes"]
    done = _run([*uv, "--cache-dir", str(cache), *_named(files)])
    shutil.rmtree(cache, ignore_errors=True)
    if done.returncode != 0:
        _pip([python, "-I", "-m", "pip"], *files)
    # With every processor. What can't be compiled now, as without /dev/shm, is compiled when it is first imported.
    _run([python, "-I", "-m", "compileall", "-qq", "-j", "0", "-x", NEVER_IMPORTED, str(folder / "lib")])


def _pip(pip: list[str], *files: str) -> None:
    # No cache: nothing is left outside the clone.
    options = ["--quiet", "--no-cache-dir", "--no-input", "--disable-pip-version-check", "--no-compile"]
    done = _run([*pip, "install", "--require-hashes", *options, *_named(files)])
    if done.returncode != 0:
        lines = done.stdout.decode(errors="replace").splitlines()
        raise SetupError(f"pip could not install {' and '.join(files)}: {_reason(lines)}")


def _named(files: tuple[str, ...]) -> list[str]:
    return [word for name in files for word in ("-r", str(ROOT / name))]


def _run(words: list[str]) -> subprocess.CompletedProcess[bytes]:
    """A user's own settings must not lead the packages elsewhere."""
    astray = ("PIP_TARGET", "PIP_PREFIX", "UV_TARGET", "UV_PREFIX", "PYTHONHOME")
    env = {name: value for name, value in os.environ.items() if name not in astray} | {"PIP_USER": "0"}
    return subprocess.run(words, env=env, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # noqa: S603


def _reason(lines: list[str]) -> str:
    """The lines of pip's output that say why: the network, or what it calls an error."""
    unreachable = re.compile("NewConnectionError|NameResolutionError|name resolution|ConnectTimeout|Network is unreach")
    if any(unreachable.search(line) for line in lines):
        return "the package index can't be reached (PIP_INDEX_URL names another one)"
    if any("CERTIFICATE_VERIFY_FAILED" in line for line in lines):
        return "the package index has a certificate that is not trusted here (PIP_CERT names a file of those that are)"
    first = next((number for number, line in enumerate(lines) if line.startswith("ERROR:")), -5)
    return "\n".join(lines[first:]).removeprefix("ERROR: ") or "pip gave no reason"
