"""The beginnings of texts and CSV files, whatever bytes they are."""

import io
import json
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.helpers.excerpts import MOST_READ_BYTES, of_csv, of_text

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "latin-1"]


def text_of(data: bytes) -> str:
    return of_text(io.BytesIO(data)).decode()


def table_of(data: bytes) -> dict:
    return json.loads(of_csv(io.BytesIO(data)))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_text_is_decoded(encoding):
    assert text_of("Grüße,\r\nÄnne\rund Çelik\n".encode(encoding)) == "Grüße,\nÄnne\nund Çelik\n"


def test_text_in_big_endian_is_decoded():
    assert text_of(b"\xfe\xff" + "Привет".encode("utf-16-be")) == "Привет"


def test_text_ends_after_a_hundred_lines():
    assert text_of(b"line\n" * 1000) == "\n".join(["line"] * 100)


@pytest.mark.parametrize("letter", ["a", "ä", "€", "𝄞"])
def test_text_ends_after_sixteen_kibibytes_and_not_within_a_letter(letter):
    for shift in range(4):
        cut = text_of(("x" * shift + letter * 20_000).encode())
        assert 16_384 - 4 < len(cut.encode()) <= 16_384
        assert set(cut.lstrip("x")) == {letter}


def test_letter_that_the_reading_cuts_does_not_make_it_latin():
    made = table_of(b"a,b\n" + b"1,2\n" * 60 + "€".encode() * MOST_READ_BYTES)
    assert made["columns"] == ["a", "b"]
    assert text_of(b"x" + "€".encode() * MOST_READ_BYTES)[:3] == "x€€"


def test_control_characters_are_removed_and_tabs_kept():
    assert text_of(b"\x1b[31mred\x00\x07\tand\x7f \xc2\x9bon") == "[31mred\tand on"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_delimiter_and_encoding_are_found(delimiter, encoding):
    rows = [["name", "plus", "note"], ["Änne", "1", '"so, or; so\tthen"'], ["Bob", "2", ""]]
    made = table_of("\r\n".join(delimiter.join(row) for row in rows).encode(encoding))
    assert made == {"columns": rows[0], "rows": [["Änne", "1", "so, or; so\tthen"], rows[2]]}


def test_decimal_commas_do_not_hide_semicolons_nor_a_title_the_table():
    assert table_of(b"name;price\nbread;1,50\nmilk;0,99\n")["rows"] == [["bread", "1,50"], ["milk", "0,99"]]
    assert table_of(b"Prices\nname\tprice\nbread\t1,50\n")["rows"] == [["name", "price"], ["bread", "1,50"]]


def test_only_the_first_rows_columns_and_characters_are_shown():
    made = table_of((",".join(["x" * 1000] * 60) + "\n").encode() * 5)
    assert [len(row) for row in [made["columns"], *made["rows"]]] == [50] * 5
    assert made["columns"][0] == "x" * 200
    assert len(table_of(b"a,b\n" * 1000)["rows"]) == 50


def test_row_that_the_reading_cuts_is_not_shown():
    whole = "x" * 100_000
    made = table_of(("a,b\n" + f"{whole},1\n" * 10).encode())
    assert made["rows"] == [["x" * 200, "1"]] * 5


@pytest.mark.parametrize(
    "data",
    [
        b"x" * (MOST_READ_BYTES * 3),
        b"a,b\n1," + b'"' + b"never closed\n" * MOST_READ_BYTES,
        b"," * 1_000_000,
        b'"' * MOST_READ_BYTES * 2,
        b"\n" * MOST_READ_BYTES * 2,
        b"\0" * 1000,
        b"a,b\n\0,\0\n",
        "\U0010ffff,".encode() * MOST_READ_BYTES,
        b"\xff," * MOST_READ_BYTES,
        b"",
    ],
    ids=["line", "open quote", "million columns", "quotes", "newlines", "only NULs", "NULs", "long", "Latin", "empty"],
)
def test_odd_files_are_harmless(data):
    check(data)


@given(st.binary(max_size=3000) | st.text(max_size=3000).map(lambda value: value.encode("utf-16", "surrogatepass")))
@example(b"\xff\xfe" + b"\x00\xd8" * 100)
def test_any_bytes_are_harmless(data):
    check(data)


@given(st.lists(st.lists(st.sampled_from(['"', '""', "a", "\n", "\r", "\0", "ä", ""])), max_size=80))
def test_any_quotes_are_harmless(rows):
    for delimiter in ",;\t":
        check("\n".join(delimiter.join(row) for row in rows).encode())


def check(data: bytes) -> None:
    shown = text_of(data)
    assert len(shown.encode()) <= 16_384
    assert shown.count("\n") < 100
    assert not [letter for letter in shown if unicodedata.category(letter) == "Cc" and letter not in "\n\t"]
    written = of_csv(io.BytesIO(data))
    assert len(written) < 4 << 20
    made = json.loads(written)
    assert list(made) == ["columns", "rows"]
    assert len(made["rows"]) <= 50
    for row in [made["columns"], *made["rows"]]:
        assert len(row) <= 50
        assert all(isinstance(cell, str) and len(cell) <= 200 for cell in row)
