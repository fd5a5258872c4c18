"""Files as strangers upload them, made on the spot: pictures and PDFs, good and hostile."""

import io
import struct
import zlib
from collections.abc import Iterable

from PIL import Image


def encoded(picture: Image.Image, kind: str, **options) -> bytes:
    made = io.BytesIO()
    picture.save(made, kind, **options)
    return made.getvalue()


def png(width: int, height: int, rows: Iterable[bytes] = (), bits: int = 1) -> bytes:
    """Greys; what its header says, whether or not it has the rows."""
    compress = zlib.compressobj()
    data = b"".join(map(compress.compress, rows)) + compress.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def tiff(tags: dict[int, int]) -> bytes:
    """A TIFF of which nothing is there but its directory; the next one is that again."""
    entries = b"".join(struct.pack("<HHII", number, 4, 1, value) for number, value in sorted(tags.items()))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 8)


def pdf(content: bytes = b"", box: str = "0 0 200 100", resources: str = "", more: Iterable[bytes] = ()) -> bytes:
    """A PDF of one page; the objects in `more` have numbers from 5."""
    page = f"<</Type/Page/Parent 2 0 R/MediaBox[{box}]/Contents 4 0 R/Resources<<{resources}>>>>".encode()
    return assembled([*CATALOG, page, stream(content), *more])


CATALOG = (b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>")
CIRCULAR = [CATALOG[0], b"<</Type/Pages/Kids[2 0 R]/Count 1000000>>"]
FORBIDDEN = b"/Encrypt<</Filter/Standard/V 1/R 2/O(%s)/U(%s)/P -4>>/ID[(a)(b)]" % (b"o" * 32, b"u" * 32)


def assembled(objects: list[bytes], trailer: bytes = b"") -> bytes:
    made, offsets = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    end = b"trailer\n<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, len(made))
    return made + b"xref\n0 %d\n0000000000 65535 f \n%s%s" % (len(objects) + 1, table, end)


def stream(body: bytes, words: bytes = b"") -> bytes:
    return b"<<%s/Length %d>>\nstream\n%s\nendstream" % (words, len(body), body)


def zipped(body: bytes, words: bytes = b"") -> bytes:
    """Twice, so that a gigabyte fits in a mail."""
    return stream(zlib.compress(zlib.compress(body, 1)), words + b"/Filter[/FlateDecode/FlateDecode]")


def billion_laughs() -> bytes:
    """It draws ten times what draws ten times what draws ten times …"""
    form = b"/Type/XObject/Subtype/Form/BBox[0 0 200 100]/Resources<</XObject<</X %d 0 R>>>>"
    forms = [stream(b"/X Do " * 10, form % (number + 1)) for number in range(5, 17)]
    return pdf(b"/X Do", resources="/XObject<</X 5 0 R>>", more=[*forms, stream(b"0 0 9 9 re f", form % 5)])


def endless_pdf() -> bytes:
    """It paints the page ten thousand times over, and each pixel takes a long sum. It needs no memory."""
    shading = b"<</ShadingType 1/ColorSpace/DeviceGray/Domain[0 200 0 100]/Function 6 0 R>>"
    function = stream(b"{add %ssin}" % (b"1 add " * 100), b"/FunctionType 4/Domain[0 200 0 100]/Range[0 1]")
    return pdf(b"/S sh " * 10_000, resources="/Shading<</S 5 0 R>>", more=[shading, function])
