"""Tables: what spreadsheets write is read, whatever else comes is harmless, and what we write is read as it was."""

import tracemalloc
from codecs import BOM_UTF8
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import TableUnreadable
from app.helpers import tables
from app.helpers.tables import BROKEN, LONGEST_ROW, MOST_LINES, TOO_LONG, Table

NAMES = {"email": "email", "e-mail": "email", "name": "name", "role": "role"}
CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SIGNS = ["a", '"', '""', ",", ";", "\t", "\n", "\r", "\r\n", "\0", "'", "=", "ä", "€", " "]
ODD = st.lists(st.sampled_from(SIGNS), max_size=30)


def table(data: bytes | str, size: int = 1 << 18) -> Table:
    """Read in pieces of this size."""
    data = data if isinstance(data, bytes) else data.encode()
    return Table(lambda: in_pieces(data, size), NAMES, "email")


def in_pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def cells(data: bytes | str) -> list[list[str]]:
    return [row.cells for row in table(data)]


def faults(data: str) -> list[tuple[int, str | None]]:
    return [(row.line, row.fault) for row in table(data)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])
@pytest.mark.parametrize("size", [1, 1000])
def test_delimiter_line_ends_and_encoding_are_found(delimiter, end, encoding, size):
    text = end.join(["E-Mail;name;Grüße", "ana@example.com;Änne;x", 'bob@example.com;"a;b";', ""])
    read = table(text.replace(";", delimiter).encode(encoding), size)
    assert (read.columns, read.places) == (["E-Mail", "name", "Grüße"], {"email": 0, "name": 1})
    assert [row.cells for row in read] == [
        ["ana@example.com", "Änne", "x"],
        ["bob@example.com", f"a{delimiter}b", ""],
    ]


def test_utf16_of_either_order():
    for order, mark in (("le", b"\xff\xfe"), ("be", b"\xfe\xff")):
        assert cells(mark + "email\nпривет\n".encode(f"utf-16-{order}")) == [["привет"]]


def test_what_is_no_utf8_is_windows_1252_wherever_that_shows():
    late = b"email,name\n" + b"x,y\n" * 100_000 + b"z,\x80 \x81 \xc4nne\n"
    assert cells(late)[-1] == ["z", "€ \x81 Änne"]


def test_broken_letters_do_not_make_what_is_marked_as_utf8_another_encoding():
    assert cells(BOM_UTF8 + "email\nÄ".encode() + b"\xff\n") == [["Ä�"]]


@pytest.mark.parametrize(
    ("head", "places"),
    [
        ("email", {"email": 0}),
        (" EMAIL ,Role", {"email": 0, "role": 1}),
        ('"note, old","E-mail"', {"email": 1}),
        ("role;name;e-mail", {"email": 2, "name": 1, "role": 0}),
        ("id,id,email", {"email": 2}),
        ("\r\n ,;\t\r\n\nname,email", {"email": 1, "name": 0}),
    ],
)
def test_columns_are_found_in_any_order_and_case(head, places):
    read = table(f"{head}\r\n")
    assert read.places == places
    assert list(read) == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "is empty"),
        ("\n\r\n ;;\n", "is empty"),
        ("ana@example.com,Ana\n", "no column called email"),
        ("name;e mail\n", "no column called email"),
        ("name;email,role\n", "no column called email"),
        ('"email\n', "no column called email"),
        ("x" * LONGEST_ROW * 3 + ",email\n", "no column called email"),
        (b"\0" * 100_000, "no column called email"),
        (b"PK\3\4" + bytes(range(256)) * 50, "no column called email"),
        ("email,Email\n", "two columns called email"),
        ("email,e-mail\n", "two columns called email"),
        ("email,name,NAME\n", "two columns called name"),
    ],
)
def test_what_is_no_table_is_refused_in_words(data, words):
    with pytest.raises(TableUnreadable, match=words):
        table(data)


def test_blank_lines_are_left_out_and_the_others_keep_their_numbers():
    assert faults("\nemail,name\n\n,\r\n  ,  \na,b\n\n\nc\n") == [(6, None), (9, None)]


def test_cell_may_have_line_breaks_in_quotes():
    read = list(table('email,note\na,"one\r\ntwo\n\n""three"""\nb,\n'))
    assert [(row.line, row.cells) for row in read] == [(2, ["a", 'one\r\ntwo\n\n"three"']), (6, ["b", ""])]


def test_quote_within_a_cell_is_a_letter():
    assert cells('email,name\na,Dwayne "The Rock" Johnson\nb,5" disc\n') == [
        ["a", 'Dwayne "The Rock" Johnson'],
        ["b", '5" disc'],
    ]


@pytest.mark.parametrize("broken", ['a,"Ana', 'a,"Ana"x', '"', '"a"b,"'])
@pytest.mark.parametrize("after", [2, MOST_LINES, MOST_LINES * 3])
def test_quote_that_is_not_closed_spoils_its_own_line_alone(broken, after):
    text = f"email,name\nfirst,\n{broken}\n" + "next,x\n" * after
    read = list(table(text))
    assert [(row.line, row.fault) for row in read[:3]] == [(2, None), (3, BROKEN), (4, None)]
    assert len(read) == 2 + after
    assert read[1].cells == broken.split(",")


def test_many_quotes_that_are_not_closed_cost_little():
    text = "email,name\n" + 'x",y,"\n' * 20_000  # each line opens a quote that the one after it opens again
    assert {fault for _, fault in faults(text)} == {BROKEN}


def test_row_that_is_too_long_is_cut_and_those_after_it_are_read():
    text = f'email,name\na,{"x" * LONGEST_ROW}\nb,y\nc,"{"z" * LONGEST_ROW}\n"\nd,\n'
    read = list(table(text))
    assert [(row.line, row.fault) for row in read] == [(2, TOO_LONG), (3, None), (4, TOO_LONG), (5, BROKEN), (6, None)]
    assert max(len("".join(row.cells)) for row in read) <= 1000


@pytest.mark.parametrize("line", ["x", '"', "x\n", '"\n', 'x",y,"\n', "a,b\r\n"])
def test_memory_does_not_grow_with_the_file(line):
    data = b"email,name\n" + (line * 50_000)[:50_000].encode()
    tracemalloc.start()
    assert sum(1 for _ in Table(lambda: in_pieces(data, 1 << 12), NAMES, "email")) < 50_000
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 400_000  # of lines as a list, there would be more than a million


@given(st.binary(max_size=500) | ODD.map(lambda parts: "".join(parts).encode()), st.integers(1, 50))
def test_any_bytes_are_harmless_and_the_same_however_they_are_cut(data, size):
    for start in (b"email,name\n", b"email;name\r\n", b"", b"\xff\xfe"):
        try:
            whole = list(table(start + data))
        except TableUnreadable:
            with pytest.raises(TableUnreadable):
                table(start + data, size)
            continue
        assert list(table(start + data, size)) == whole
        assert [row.line for row in whole] == sorted({row.line for row in whole})


@given(st.lists(st.tuples(CELLS | ODD.map("".join), CELLS, CELLS | ODD.map("".join))))
def test_what_was_written_is_read_as_it_was(rows):
    data = BOM_UTF8 + tables.written([("email", "name", "note")]) + tables.written(rows)
    read = list(table(data, 7))
    assert {row.fault for row in read} <= {None}
    assert [tuple(row.cells) for row in read] == [row for row in rows if "".join(row).strip()]


@given(st.sampled_from(["", "'", "''"]), st.sampled_from("=+-@\t\r"), CELLS)
def test_no_cell_that_is_written_begins_like_a_formula(apostrophes, sign, rest):
    cell = apostrophes + sign + rest
    text = tables.written([[cell, "x"]]).decode()
    assert text.removeprefix('"').startswith("'" + cell[:2].replace('"', '""')[:1])
    assert cells(BOM_UTF8 + b"email,x\r\n" + text.encode()) == [[cell, "x"]]


def test_guard_that_others_wrote_is_taken_away_and_other_apostrophes_are_kept():
    assert cells("email,name\na,'=1+1\nb,'s Gravenhage\nc,'\n") == [["a", "=1+1"], ["b", "'s Gravenhage"], ["c", "'"]]


def test_cells_are_quoted_where_they_must_be_and_lines_end_as_in_the_standard():
    assert tables.written([["a", 'b"c', "d,e"], ["", "f\ng", "-1"]]) == b'a,"b""c","d,e"\r\n,"f\ng",\'-1\r\n'
