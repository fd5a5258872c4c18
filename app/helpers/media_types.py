"""What kind of file it is, by its first bytes. The client's word for it counts for nothing; the end of the name only
says which of the texts a text is."""

import re
from pathlib import PurePath

import puremagic

HEAD_BYTES = 8192  # are looked at
UNKNOWN = "application/octet-stream"
FORM = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}", re.ASCII)

CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")  # what no text has; \x1b begins a terminal's colours
WRITTEN = {b"%PDF-": "application/pdf", rb"{\rtf": "application/rtf", b"%!PS": "application/postscript"}
ZIP = b"PK\3\4"
ZIPPED = {  # what is in an archive of that kind, among its first names
    b"word/": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    b"xl/": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    b"ppt/": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
MIMETYPE = re.compile(rb"mimetype(application/(?:epub\+zip|vnd\.oasis\.opendocument\.[a-z-]{1,40}))PK")
TEXTS = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".json": "application/json",
    ".md": "text/markdown",
    ".html": "text/html",
    ".htm": "text/html",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".xml": "application/xml",
    ".ics": "text/calendar",
    ".vcf": "text/vcard",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}


def media_type(head: bytes, name: str) -> str:
    """Of a file that begins like this and has this name."""
    for start, kind in WRITTEN.items():
        if head.startswith(start):
            return kind
    if _is_text(head):
        return TEXTS.get(PurePath(name).suffix.lower(), "text/plain") if head else UNKNOWN
    if head.startswith(ZIP):
        return _in_zip(head)
    try:
        found = puremagic.from_string(head, mime=True).lower()
    except (puremagic.PureError, ValueError):
        found = ""
    is_text = (
        found.startswith("text/") or found in TEXTS.values()
    )  # which this is not, or it would have been known above
    if FORM.fullmatch(found) and not is_text:
        return found
    return UNKNOWN if CONTROL.search(head) else TEXTS.get(PurePath(name).suffix.lower(), "text/plain")


def _in_zip(head: bytes) -> str:
    named = MIMETYPE.search(head)
    if named is not None:
        return named[1].decode()
    kinds = [kind for name, kind in ZIPPED.items() if name in head] if b"[Content_Types].xml" in head else []
    return kinds[0] if kinds else "application/zip"


def _is_text(head: bytes) -> bool:
    """In UTF-8, or UTF-16 with its mark. Magic numbers are not asked then: many a word begins like one."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return not head.startswith(b"\xff\xfe\0\0") and _decodes(head, "utf-16")
    return not CONTROL.search(head) and _decodes(head, "utf-8")


def _decodes(head: bytes, encoding: str) -> bool:
    """The last character may be cut."""
    try:
        head.decode(encoding)
    except UnicodeDecodeError as error:
        return len(head) == HEAD_BYTES and error.start >= len(head) - 4
    return True
