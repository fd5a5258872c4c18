"""The beginning of a text or of a CSV file. Runs where strangers' files are opened (`app/commands/preview.py`)."""

import csv
import io
import json
import re
from collections import Counter
from itertools import islice
from typing import BinaryIO

from app.helpers.tables import DELIMITERS, decoder_of

MOST_READ_BYTES = 512 << 10  # of a file, however long its lines are
MOST_LINES, MOST_TEXT_BYTES = 100, 16 << 10
MOST_ROWS, MOST_COLUMNS, LONGEST_CELL = 50, 50, 200
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and newline


def of_text(file: BinaryIO) -> bytes:
    """The first lines, in UTF-8."""
    text, _ = _read(file)
    beginning = "\n".join(text.split("\n", MOST_LINES)[:MOST_LINES]).encode()[:MOST_TEXT_BYTES]
    return beginning.decode(errors="ignore").encode()  # without half a character


def of_csv(file: BinaryIO) -> bytes:
    """`{"columns": […], "rows": [[…]]}`: the first row, and those after it, as long as they are."""
    text, is_whole = _read(file)
    first, *rows = max((_table(text, delimiter, is_whole) for delimiter in DELIMITERS), key=_regularity)
    return json.dumps({"columns": first, "rows": rows}, ensure_ascii=False, separators=(",", ":")).encode()


def _read(file: BinaryIO) -> tuple[str, bool]:
    """The beginning of the file with newlines like ours and without control characters; and whether it is all."""
    data = file.read(MOST_READ_BYTES + 1)
    is_whole = len(data) <= MOST_READ_BYTES
    data = data[:MOST_READ_BYTES]
    text = decoder_of([data], is_whole=is_whole)().decode(data, is_whole).replace("\r\n", "\n").replace("\r", "\n")
    return CONTROL.sub("", text), is_whole


def _table(text: str, delimiter: str, is_whole: bool) -> list[list[str]]:
    """The first rows, cut to size; at least one, which may be empty."""
    csv.field_size_limit(MOST_READ_BYTES)  # a quote that never closes makes one cell of the rest
    rows = list(islice(filter(None, csv.reader(io.StringIO(text), delimiter=delimiter)), MOST_ROWS + 1))
    if not is_whole and 1 < len(rows) <= MOST_ROWS:
        rows.pop()  # it was cut, and nobody knows where
    return [[cell[:LONGEST_CELL] for cell in row[:MOST_COLUMNS]] for row in rows] or [[]]


def _regularity(rows: list[list[str]]) -> tuple[int, int]:
    """The right delimiter makes most rows equally wide, the wrong ones leave them whole or cut them anyhow."""
    times = Counter(map(len, rows))
    width = max(times, key=times.__getitem__)
    return (times[width], width) if width > 1 else (0, width)
