"""What is said of bytes: names in headers, digests, types, links."""

import base64
import hashlib
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pytest
from werkzeug.datastructures import Headers

from app import config
from app.errors import MalformedRequest, ValidationFailed
from app.helpers import digests, links, media_types
from app.helpers.content import Upload, as_attachment
from app.helpers.media_types import HEAD_BYTES, media_type
from app.helpers.uploads import clean_name

DIGEST = hashlib.sha256(b"x").digest()
TEXT = base64.b64encode(DIGEST).decode()
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
OFFICE = "application/vnd.openxmlformats-officedocument"


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a b.txt", 'filename="a b.txt"'),
        ('a"b;c.txt', "filename=\"a_b_c.txt\"; filename*=UTF-8''a%22b%3Bc.txt"),
        ("100%.txt", "filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"),
        ("ä/ö", "filename=\"___\"; filename*=UTF-8''%C3%A4%2F%C3%B6"),
        ("a\r\nb", "filename=\"a__b\"; filename*=UTF-8''a%0D%0Ab"),
        ("\u202egpj.exe", 'filename="gpj.exe"'),  # would be shown as exe.jpg
        ("\u202e", 'filename="file"'),
    ],
)
def test_name_cannot_break_out_of_its_header_nor_mislead(name, header):
    assert as_attachment(name) == f"attachment; {header}"


def test_upload_is_repeated_by_the_same_content_under_the_same_name():
    upload = Upload("0" * 32, "a", "text/plain", 1, {"sha256": "ab"})
    assert upload.fingerprint == replace(upload, key="1" * 32).fingerprint
    assert upload.fingerprint != replace(upload, name="b").fingerprint
    assert upload.fingerprint != replace(upload, digests={"sha256": "cd"}).fingerprint


@pytest.mark.parametrize(
    ("header", "value", "found"),
    [
        ("Content-Digest", f"sha-256=:{TEXT}:", {"sha256": DIGEST}),
        ("Repr-Digest", f" SHA-256 = :{TEXT}:;q=1 , crc32c=:AAAA:", {"sha256": DIGEST}),
        ("Digest", f"SHA-256={TEXT},md5={TEXT}", {"sha256": DIGEST, "md5": DIGEST}),
        ("Digest", "unixsum=30637", {}),
        ("Digest", "", {}),
    ],
)
def test_claims_are_read_as_far_as_anybody_here_knows_them(header, value, found):
    assert digests.claimed(Headers({header: value})) == found


@pytest.mark.parametrize("value", ["sha-256", "sha-256=", "sha-256=:", f"sha-256={TEXT}", "sha-256=:!:", "sha-256=:A:"])
def test_claim_that_cannot_be_read_is_refused_with_an_example(value):
    with pytest.raises(MalformedRequest, match="Content-Digest must be like sha-256=:…:"):
        digests.claimed(Headers({"Content-Digest": value}))


def test_old_claim_has_an_example_of_its_own():
    with pytest.raises(MalformedRequest, match="Digest must be like SHA-256=…"):
        digests.claimed(Headers({"Digest": f"sha-256=:{TEXT}:"}))


def test_what_is_read_is_digested_on_the_way():
    reader = digests.DigestingReader(io.BytesIO(b"hello"), ["sha256", "md5"])
    assert (reader.read(2), reader.read()) == (b"he", b"llo")
    assert reader.digests.hex("md5") == hashlib.md5(b"hello").hexdigest()
    assert reader.digests.of("sha256") == hashlib.sha256(b"hello").digest()


def test_link_is_good_until_its_end(settings, monkeypatch):
    token = links.sign("a key", NOON)
    assert token.startswith("acl_")
    for seconds, key in ((-1, "a key"), (0, None), (1, None)):
        monkeypatch.setattr(links, "now", lambda seconds=seconds: NOON + timedelta(seconds=seconds))
        assert links.read(token) == key


def test_link_is_signed_with_our_key(settings, monkeypatch):
    monkeypatch.setattr(links, "now", lambda: NOON)
    token = links.sign("a key", NOON + timedelta(seconds=1))
    assert links.read(token) == "a key"
    for forged in (token[:-1], token.removeprefix("acl_"), "acl_", "acl_W10.AAAA", ""):
        assert links.read(forged) is None
    assert links.read(links._sign(links.INVITATION, "a guest's")) is None
    config.use(replace(settings, secret_key="another"))
    assert links.read(token) is None


def zipped(*words: bytes) -> bytes:
    return b"PK\3\4 \0\0 " + b" ".join(words) + b"PK"


@pytest.mark.parametrize(
    ("head", "name", "kind"),
    [
        (b"", "a.csv", "application/octet-stream"),
        (b"a,b", "A.CSV", "text/csv"),
        (b"a,b", "noname", "text/plain"),
        (b"a,b", "a.exe", "text/plain"),
        (b"BM begins a bitmap, or a text", "a.txt", "text/plain"),
        (b"\x1b[31mred", "a.txt", "text/plain"),
        ("ä".encode("utf-16"), "a.csv", "text/csv"),
        ("ä".encode("latin-1"), "a.md", "text/markdown"),
        (b"\xff\xfe\0\0" + "ä".encode("utf-32-le"), "a.txt", "application/octet-stream"),
        (b"%PDF-1.7", "a.txt", "application/pdf"),
        (rb"{\rtf1", "a.txt", "application/rtf"),
        (b"\0\1\2\3", "a.csv", "application/octet-stream"),
        (b"GIF89a\1\0\1\0\0\0\0;", "a.txt", "image/gif"),
        (zipped(), "a.docx", "application/zip"),
        (zipped(b"word/"), "a.docx", "application/zip"),
        (zipped(b"[Content_Types].xml", b"word/"), "a", f"{OFFICE}.wordprocessingml.document"),
        (zipped(b"mimetypeapplication/epub+zip"), "a", "application/epub+zip"),
        (zipped(b"mimetypetext/html"), "a", "application/zip"),
    ],
)
def test_type_is_told_by_the_bytes_and_among_texts_by_the_name(head, name, kind):
    assert media_type(head, name) == kind


@pytest.mark.parametrize(
    ("size", "end", "is_text"), [(HEAD_BYTES, b"\xc3", True), (HEAD_BYTES, b"\xc3aaaaa", False), (100, b"\xc3", False)]
)
def test_text_may_be_cut_within_a_character_where_the_head_ends(monkeypatch, size, end, is_text):
    magic = Mock(return_value="image/x-made-up")
    monkeypatch.setattr(media_types.puremagic, "from_string", magic)
    kind = media_type(end.rjust(size, b"a"), "a.csv")
    assert kind == ("text/csv" if is_text else "image/x-made-up")


@pytest.mark.parametrize("answer", ["", "no type", "TEXT/x y", "a/b; charset=x"])
def test_what_the_magic_numbers_make_up_is_no_type(monkeypatch, answer):
    monkeypatch.setattr(media_types.puremagic, "from_string", lambda *_args, **_options: answer)
    assert media_type(b"\0\1", "a.csv") == "application/octet-stream"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("a.txt", "a.txt"),
        ("/etc/passwd", "passwd"),
        ("C:\\x\\a.txt", "a.txt"),
        ("a/", "a"),
        (" a ", "a"),
        ("..", "file"),
        ("a/.", "file"),
        ("/", "file"),
        ("x" * 255, "x" * 255),
    ],
)
def test_name_is_the_last_part_of_a_path(sent, kept):
    assert clean_name(sent) == kept


@pytest.mark.parametrize("name", ["x" * 256, "a\0", "a\x1fb", "a\x7f", "a\ud800"])
def test_name_that_does_not_fit_is_refused(name):
    with pytest.raises(ValidationFailed) as refusal:
        clean_name(name)
    [error] = refusal.value.extras["errors"]
    assert error["pointer"] == "#/name"
