"""Tables as CSV files (RFC 4180): read as spreadsheets of any kind write them, and written so that no spreadsheet takes
a cell for a formula. What was written is read again as it was.

However large a file is, and whatever it holds, no more of it is in memory than a piece and a row.
"""

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from app.errors import TableUnreadable

DELIMITERS = (",", ";", "\t")
BLANK = "".join(DELIMITERS) + " \r\n"
LONGEST_ROW = 1 << 14  # characters
MOST_LINES = 50  # of one row, whose cells may have line breaks in quotes
LONGEST_SHOWN = 1000  # characters of a row that is longer than any may be
TOO_LONG = f"is longer than {LONGEST_ROW} characters"
BROKEN = "has a quote that is not closed, or stands in the wrong place"

BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
LONGEST_BOM = max(map(len, BOMS))
for encoding in BOMS.values():
    codecs.lookup(encoding)  # now, since it imports: who makes previews can't open a file later
# Windows-1252; what that leaves open is what it is in Latin-1.
WESTERN = {code: bytes([code]).decode("cp1252", "ignore") or chr(code) for code in range(0x80, 0xA0)}

# A cell that begins so is a formula to some spreadsheet. An apostrophe in front says that it is a text; and a cell that
# looks like that already gets another one, so that reading, which takes one away, gives back what there was.
FORMULA = re.compile(r"'*[=+\-@\t\r]")
GUARDED = re.compile(r"'+[=+\-@\t\r]")

Decoder = Callable[[], codecs.IncrementalDecoder]


class Western(codecs.IncrementalDecoder):
    def decode(self, data: bytes, final: bool = False) -> str:  # type: ignore[override]
        return data.decode("latin-1").translate(WESTERN)


def decoder_of(pieces: Iterable[bytes], *, is_whole: bool = True) -> Decoder:
    """UTF-8 or UTF-16, if the first bytes say so; else UTF-8 if all of it can be that, else Windows-1252. If it is not
    the whole file, its last character may lack its end."""
    pieces, head = iter(pieces), b""
    for piece in pieces:
        head += piece
        if len(head) >= LONGEST_BOM:
            break
    for bom, encoding in BOMS.items():
        if head.startswith(bom):
            return partial(codecs.getincrementaldecoder(encoding), "replace")
    strict = codecs.getincrementaldecoder("utf-8")()
    try:
        for piece in chain([head], pieces):
            strict.decode(piece)
        strict.decode(b"", is_whole)
    except UnicodeDecodeError:
        return Western
    return partial(codecs.getincrementaldecoder("utf-8"), "replace")


@dataclass(frozen=True, slots=True)
class Row:
    line: int  # of the file, where it begins; the first is 1
    cells: list[str]
    fault: str | None = None  # why it is no row of a table; then the cells only show what is there


class Table:
    """The rows of a file below its first, which names the columns. `read` gives the bytes, each time anew.

    `names` are the wanted columns by what they may be called, in lower case; `places` is where they are. Raises
    TableUnreadable if a column is there twice, or the `needed` one is not there at all.
    """

    def __init__(self, read: Callable[[], Iterable[bytes]], names: Mapping[str, str], needed: str):
        self.read = read
        self.decoder = decoder_of(self._pieces())
        self.line, head = self._head()
        for self.delimiter in DELIMITERS:
            self.columns = _cells_of_one_line(head, self.delimiter)
            self.places = _places(self.columns, names)
            if needed in self.places:
                return
        raise TableUnreadable(f"The file has no column called {needed}. Its first line must name the columns.")

    def __iter__(self) -> Iterator[Row]:
        """All but blank ones."""
        return (row for row in _rows(self._lines(), self.delimiter) if row.line > self.line)

    def _head(self) -> tuple[int, str]:
        for number, line in enumerate(self._lines(), 1):
            if line.strip(BLANK):
                return number, line[:LONGEST_ROW]
        raise TableUnreadable("The file is empty.")

    def _pieces(self) -> Iterator[bytes]:
        yield from self.read()  # a generator: who stops early closes it, and thereby what it reads from

    def _lines(self) -> Iterator[str]:
        """Each with its end. Of one that is longer than a row may be, some of the rest is left out."""
        decoder, rest = self.decoder(), ""
        for data in chain(self._pieces(), [None]):
            rest += decoder.decode(data or b"", data is None)
            # The last one may go on in the next piece, if only by the second half of a line's end.
            *whole, rest = io.StringIO(rest, newline="").readlines() or [""]
            yield from whole
            if len(rest) > LONGEST_ROW and rest[-1] not in "\r\n":
                rest = rest[: LONGEST_ROW + 1]
        if rest:
            yield rest


def _places(columns: Sequence[str], names: Mapping[str, str]) -> dict[str, int]:
    places: dict[str, int] = {}
    for place, column in enumerate(columns):
        name = names.get(column.strip().casefold())
        if name in places:
            raise TableUnreadable(f"The file has two columns called {name}.")
        if name is not None:
            places[name] = place
    return places


def _rows(lines: Iterator[str], delimiter: str) -> Iterator[Row]:
    """All but blank ones. A quote that is not closed spoils the line that it is in, and none after it."""
    ahead: deque[str] = deque()  # lines that were looked at, and not taken
    number = 1
    while line := ahead.popleft() if ahead else next(lines, ""):
        try:
            cells, taken = _cells(line, ahead, lines, delimiter)
        except csv.Error:
            fault = TOO_LONG if len(line) > LONGEST_ROW else BROKEN
            shown = line.rstrip("\r\n")[: LONGEST_SHOWN if fault == TOO_LONG else None]
            cells, taken = shown.split(delimiter), 1
            yield Row(number, cells, fault)
        else:
            cells = [cell[1:] if GUARDED.match(cell) else cell for cell in cells]
            if "".join(cells).strip():
                yield Row(number, cells)
        number += taken


def _cells(line: str, ahead: deque[str], lines: Iterator[str], delimiter: str) -> tuple[list[str], int]:
    """Those of the row that begins with this line, and of how many lines it is. Raises csv.Error."""
    if len(line) > LONGEST_ROW:
        raise csv.Error
    if '"' not in line:
        return line.rstrip("\r\n").split(delimiter), 1
    reader = csv.reader(_as_far_as_a_row_may_go(line, ahead, lines), delimiter=delimiter, strict=True)
    cells = next(reader)
    for _ in range(1, reader.line_num):
        ahead.popleft()
    return cells, reader.line_num


def _as_far_as_a_row_may_go(line: str, ahead: deque[str], lines: Iterator[str]) -> Iterator[str]:
    """The line and those after it, which stay `ahead`: whether they belong to it is not known yet."""
    length = 0
    for number in range(MOST_LINES):
        if number > len(ahead):
            ahead.append(next(lines, ""))
        following = ahead[number - 1] if number else line
        length += len(following)
        if not following or length > LONGEST_ROW:
            return
        yield following


def _cells_of_one_line(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        return []


def written(rows: Iterable[Iterable[str]]) -> bytes:
    """These rows of a file, which begins with BOM_UTF8: without it, Excel takes it for Windows-1252."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(["'" + cell if FORMULA.match(cell) else cell for cell in row] for row in rows)
    return text.getvalue().encode()
