"""A small picture or the first lines of a file that a stranger uploaded. Here nothing of the file is read: whatever
parses it runs in a process of its own, which limits itself (`app/commands/preview.py`) and may break.
"""

import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from app.config import ROOT
from app.errors import PreviewImpossible

CPU_SECONDS = 20
TIMEOUT_SECONDS = 30  # by the clock
MOST_BYTES = 4 << 20  # of a preview
LONGEST_REASON = 200  # characters; it may come from a decoder that was taken over
LONGEST_TRACE = 2000

IMAGES = ("avif", "bmp", "gif", "jpeg", "jpg", "png", "tiff", "webp", "x-ms-bmp")
KINDS = {f"image/{name}": "image" for name in IMAGES} | {
    "application/pdf": "pdf",
    "application/json": "text",
    "application/xml": "text",
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
}
TYPES = {
    "image": "image/webp",
    "pdf": "image/webp",
    "csv": "application/json",
    "text": "text/plain; charset=utf-8",
}
TOO_LONG = {-signal.SIGXCPU, -signal.SIGALRM}
CRASHES = {-getattr(signal, f"SIG{name}") for name in ("ABRT", "BUS", "FPE", "ILL", "SEGV", "SYS", "TRAP")}


@dataclass(frozen=True)
class Preview:
    data: bytes
    type: str


def can_make(media_type: str) -> bool:
    """Whether files of this type have previews; it may still be impossible for one of them."""
    return _kind(media_type) is not None


def make(path: Path, media_type: str) -> Preview:
    """A picture of at most 512 × 512 pixels, the first lines of a text, or the first rows of a table as JSON.

    Raises PreviewImpossible if trying again would not help, and RuntimeError if the process was killed, or failed
    before it came to the file.
    """
    kind = _kind(media_type)
    if kind is None:
        raise PreviewImpossible(f"There are no previews of files of the type {media_type}.")
    command = [sys.executable, "-m", "app.commands.preview", kind, str(CPU_SECONDS), str(TIMEOUT_SECONDS)]
    with path.open("rb") as file, TemporaryFile() as errors:
        # A session of its own: a signal to the worker's group is not for it, and would look like a crash.
        process = subprocess.Popen(  # noqa: S603  # our own words
            command, stdin=file, stdout=subprocess.PIPE, stderr=errors, cwd=ROOT, env={}, start_new_session=True
        )
        # Whatever ends the reading, a job's timeout too, ends the process. Not `process.wait(timeout)`: an exception
        # out of a signal's handler may leave it with its lock taken, and the next wait would never end.
        try:
            output = _read(process)
        finally:
            process.kill()  # one that has closed its output by ending keeps its exit code
            code = process.wait()
        errors.seek(0)
        return Preview(_judged(code, output, errors.read()[-LONGEST_TRACE:]), TYPES[kind])


def _read(process: subprocess.Popen[bytes]) -> bytes:
    """What it writes until it ends."""
    assert process.stdout is not None
    until, output = time.monotonic() + TIMEOUT_SECONDS, b""
    with process.stdout as pipe:
        while len(output) <= MOST_BYTES:
            ready, _, _ = select.select([pipe], [], [], max(0, until - time.monotonic()))
            if not ready:
                raise PreviewImpossible("Making the preview took too long.")
            piece = os.read(pipe.fileno(), 65536)
            if not piece:
                return output
            output += piece
    raise PreviewImpossible("The preview became too large.")


def _kind(media_type: str) -> str | None:
    """Without parameters: `text/plain; charset=utf-8` is text."""
    name = media_type.partition(";")[0].strip().lower()
    return KINDS.get(name) or ("text" if name.startswith("text/") else None)


def _judged(code: int, output: bytes, errors: bytes) -> bytes:
    if code == 0:
        return output
    if code == PreviewImpossible.exit_code:  # instead of a preview it wrote why there is none
        reason = output.decode("ascii", "replace")[:LONGEST_REASON]
        raise PreviewImpossible("".join(filter(str.isprintable, reason)))
    if code in TOO_LONG:
        raise PreviewImpossible("Making the preview took too long.")
    if code in CRASHES:
        raise PreviewImpossible("Reading the file crashed, or took too much memory.")
    # Somebody killed it, or it could not even start: nothing is wrong with the file.
    raise RuntimeError(f"the preview's process ended with {code}: {errors.decode('utf-8', 'replace')}")
