"""A small picture or the first lines of a file that a stranger uploaded. Here nothing of the file is read: whatever
parses it runs in a process of its own, which limits itself (`app/commands/preview.py`) and may break.
"""

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from app.config import ROOT
from app.errors import PreviewImpossible

CPU_SECONDS = 20
TIMEOUT_SECONDS = 30  # by the clock
MOST_BYTES = 4 << 20  # of a preview; the process can't write more either
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
    with path.open("rb") as file, TemporaryFile() as output, TemporaryFile() as errors:
        # Not a pipe: the kernel keeps the size of a file within limits, and nobody has to read while it is written.
        command = [sys.executable, "-m", "app.commands.preview", kind]
        command += [str(CPU_SECONDS), str(TIMEOUT_SECONDS), str(MOST_BYTES)]
        # A session of its own: a signal to the worker's group is not for it, and would look like a crash.
        process = subprocess.Popen(  # noqa: S603  # our own words
            command, stdin=file, stdout=output, stderr=errors, cwd=ROOT, env={}, start_new_session=True
        )
        with process:
            try:
                code = process.wait(TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                raise PreviewImpossible("Making the preview took too long.") from None
            finally:
                process.kill()  # whatever ends the wait; it does nothing to a process that has ended
        output.seek(0)
        errors.seek(0)
        return Preview(_judged(code, output.read(MOST_BYTES), errors.read()[-LONGEST_TRACE:]), TYPES[kind])


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
