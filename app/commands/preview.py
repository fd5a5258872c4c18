"""`python -m app.commands.preview KIND CPU_SECONDS SECONDS`: the process in which a stranger's file is opened,
and nothing else. The file is its standard input, the preview its standard output; started by `app/helpers/previews.py`.

Before it reads the first byte it takes from itself what it does not need. So a file can make it fail, but can neither
fill the memory or the disk nor keep the processor busy; and what breaks in here breaks nothing else.
"""

import resource
import select
import signal
import sys
from collections.abc import Callable
from typing import BinaryIO

from app.commands.lifeline import die_with_parent
from app.errors import PreviewImpossible

MEMORY_BYTES = 1 << 30
LOG_BYTES = 64 << 10  # of its errors; the preview goes into a pipe, whose reader limits it


def main(arguments: list[str]) -> int:
    kind, cpu_seconds, seconds = arguments[0], *map(int, arguments[1:])
    die_with_parent()
    signal.alarm(seconds)  # should the parent have died before it could be noticed
    make = _maker(kind)  # what can't be imported is our fault, and not the file's
    if _nobody_reads():
        return 1
    _limit(cpu_seconds)
    try:
        sys.stdout.buffer.write(make(sys.stdin.buffer))
    except PreviewImpossible as impossible:
        return _refuse(impossible.detail)
    except MemoryError:
        return _refuse("Making the preview used too much memory.")
    except ImportError:
        raise  # too late: see NOFILE below
    except Exception:  # decoders raise whatever they happen upon
        return _refuse("The file is broken, or is not of its type.")
    return 0


def _nobody_reads() -> bool:
    """The parent was interrupted just as it started this process, and does not know of it."""
    output = select.poll()
    output.register(sys.stdout.fileno(), select.POLLERR)
    return bool(output.poll(0))


def _limit(cpu_seconds: int) -> None:
    limits = {
        resource.RLIMIT_CPU: cpu_seconds + 1,
        resource.RLIMIT_FSIZE: LOG_BYTES,
        resource.RLIMIT_CORE: 0,
        # No file and no socket but those that are open: whatever a decoder is turned into, it can neither read our
        # secrets nor tell Redis anything. All imports are done; pdfium brings along its fonts.
        resource.RLIMIT_NOFILE: 0,
        resource.RLIMIT_NPROC: 0,  # no process and no thread, unless root is who runs it
    }
    if sys.platform.startswith("linux"):
        limits[resource.RLIMIT_AS] = MEMORY_BYTES  # macOS refuses to set it
    for kind, most in limits.items():
        _, already = resource.getrlimit(kind)
        hard = most if already == resource.RLIM_INFINITY else min(most, already)
        # Before the kernel kills for the processor's time, it sends a signal that says so.
        resource.setrlimit(kind, (min(cpu_seconds, hard) if kind == resource.RLIMIT_CPU else hard, hard))


def _maker(kind: str) -> Callable[[BinaryIO], bytes]:
    """Imports what this kind of file needs, and nothing else."""
    if kind == "image":
        from app.helpers.thumbnails import of_image  # noqa: PLC0415

        return of_image
    if kind == "pdf":
        from app.helpers.first_page import of_pdf  # noqa: PLC0415

        return of_pdf
    from app.helpers.excerpts import of_csv, of_text  # noqa: PLC0415

    return {"csv": of_csv, "text": of_text}[kind]


def _refuse(reason: str) -> int:
    sys.stdout.write(reason)
    return PreviewImpossible.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
