"""Small pictures of large ones. Runs where strangers' files are opened (`app/commands/preview.py`)."""

import contextlib
import copy
import io
from typing import BinaryIO

from PIL import AvifImagePlugin, Image, ImageOps, MpoImagePlugin, TiffImagePlugin, WebPImagePlugin

from app.errors import PreviewImpossible

SIDE = 512  # pixels; neither side is longer
MOST_PIXELS = 256_000_000  # of a picture: what the cameras of telephones make, and no more
MOST_DECODED = 64_000_000  # of what is decoded: a JPEG can be decoded at an eighth of its size, others not
QUALITY = 80
# Pillow imports these when it first needs them. By then this process can't open a file any more.
NEEDED = (AvifImagePlugin, MpoImagePlugin, TiffImagePlugin, WebPImagePlugin, copy)
Image.preinit()  # and PNG, JPEG, GIF, BMP
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "AVIF")  # nothing else is tried: some would start programs

Image.MAX_IMAGE_PIXELS = MOST_PIXELS // 2  # an error, and not a warning, above twice of it
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # this process may not start any


def of_image(file: BinaryIO) -> bytes:
    """The picture, or the first of several, as WebP without metadata."""
    try:
        image: Image.Image = Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError:
        raise _too_large() from None
    image.draft(None, (SIDE * 2, SIDE * 2))
    if image.width * image.height > MOST_DECODED:
        raise _too_large()
    image.load()
    return shrunk(_in_eight_bits(image))


def shrunk(image: Image.Image) -> bytes:
    """As WebP, no larger than it is; its EXIF, and whatever else it says of itself, stays behind."""
    mode = "RGBA" if image.has_transparency_data else "RGB"
    image = image if image.mode == mode else image.convert(mode)
    image.thumbnail((SIDE, SIDE))
    with contextlib.suppress(Exception):  # a picture whose EXIF is broken is a picture
        ImageOps.exif_transpose(image, in_place=True)
    made = io.BytesIO()
    image.save(made, "WEBP", quality=QUALITY)
    return made.getvalue()


def _in_eight_bits(image: Image.Image) -> Image.Image:
    """Pillow would cut off greys beyond 255; here the whole range counts, in 32 bits the one that is used."""
    if image.mode.startswith("I;16"):
        image = image.convert("I").point(lambda value: value * (255 / 65535))
    elif image.mode in ("I", "F"):
        low, high = map(float, image.getextrema())  # type: ignore[arg-type]  # two numbers: there is one band
        scale = 255 / ((high - low) or 1)
        image = image.point(lambda value: value * scale - low * scale)
    return image.convert("L") if image.mode in ("I", "F") else image


def _too_large() -> PreviewImpossible:
    most = MOST_DECODED // 1_000_000
    return PreviewImpossible(f"The picture is too large: a preview can be made of {most} million pixels at most.")
