"""Previews, through the process that makes them: good files of each kind, hostile ones, and an end that comes early."""

import io
import json
import os
import random
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import uploads
from copies import PATIENCE_SECONDS, wait_for
from PIL import Image, ImageCms

from app.config import ROOT
from app.errors import PreviewImpossible
from app.helpers import previews

RED, BLUE = (255, 0, 0), (0, 0, 255)
Make = Callable[..., previews.Preview]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def preview_of(data: bytes, media_type: str) -> previews.Preview:
        path = tmp_path / "upload"
        path.write_bytes(data)
        return previews.make(path, media_type)

    return preview_of


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A PDF over which pdfium is busy for much longer than any test waits."""
    path = tmp_path / "endless.pdf"
    path.write_bytes(uploads.endless_pdf())
    return path


def two_halves(mode: str = "RGB", size: tuple[int, int] = (1200, 600)) -> Image.Image:
    """Left red, right blue."""
    picture = Image.new("RGB", size, RED)
    picture.paste(BLUE, (size[0] // 2, 0, *size))
    return picture.convert(mode)


def shown(preview: previews.Preview) -> Image.Image:
    assert preview.type == "image/webp"
    return Image.open(io.BytesIO(preview.data))


def looks_like(picture: Image.Image, place: tuple[int, int], colour: tuple[int, ...], by: int = 12) -> bool:
    pixel = picture.convert("RGBA" if len(colour) == 4 else "RGB").getpixel(place)
    return all(abs(got - wanted) <= by for got, wanted in zip(pixel, colour, strict=True))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"])
def test_picture_becomes_a_small_one(make, kind):
    small = shown(make(uploads.encoded(two_halves(), kind), f"image/{kind.lower()}"))
    assert small.size == (512, 256)
    assert looks_like(small, (100, 128), RED)
    assert looks_like(small, (400, 128), BLUE)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_every_sort_of_pixel_is_shown(make, mode):
    kind = {"YCbCr": "JPEG"}.get(mode, "PNG" if mode in ("1", "L", "LA", "P", "RGBA", "I;16") else "TIFF")
    if mode in ("I;16", "I", "F"):
        picture = Image.new(mode, (600, 300), 0)
        picture.paste(Image.new(mode, (300, 300), 65535), (300, 0))
    else:
        picture = Image.new("RGB", (600, 300), "black")
        picture.paste("white", (300, 0, 600, 300))
        picture = picture.convert(mode)
    small = shown(make(uploads.encoded(picture, kind), f"image/{kind.lower()}"))
    assert looks_like(small, (100, 100), (0, 0, 0))
    assert looks_like(small, (400, 100), (255, 255, 255))


@pytest.mark.parametrize("size", [(1, 1), (20, 10), (512, 512)])
def test_small_picture_stays_as_small(make, size):
    assert shown(make(uploads.encoded(two_halves(size=size), "PNG"), "image/png")).size == size


@pytest.mark.parametrize("size", [(20_000, 1), (1, 20_000)])
def test_thin_picture_keeps_a_pixel(make, size):
    assert sorted(shown(make(uploads.encoded(two_halves(size=size), "PNG"), "image/png")).size) == [1, 512]


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "TIFF", "AVIF"])
def test_what_was_transparent_is_transparent(make, kind):
    picture = two_halves("RGBA")
    picture.paste((0, 0, 0, 0), (600, 0, 1200, 600))
    small = shown(make(uploads.encoded(picture, kind), f"image/{kind.lower()}"))
    assert small.getpixel((400, 128))[3] == 0
    assert looks_like(small, (100, 128), (*RED, 255))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "TIFF with LZW", "AVIF"])
def test_picture_is_turned_as_its_camera_says(make, kind):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by 90° clockwise
    kind, _, compressed = kind.partition(" with ")
    options = {"compression": "tiff_lzw"} if compressed else {}
    small = shown(make(uploads.encoded(two_halves(), kind, exif=exif, **options), f"image/{kind.lower()}"))
    assert small.size == (256, 512)
    assert looks_like(small, (128, 100), RED)
    assert looks_like(small, (128, 400), BLUE)


def test_preview_tells_nothing_of_its_picture(make):
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Camera of Alice", 1
    exif.get_ifd(0x8825)[1] = "N"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = uploads.encoded(two_halves(), "JPEG", exif=exif, xmp=b"<x>Alice</x>", comment=b"Alice", icc_profile=profile)
    small = make(data, "image/jpeg").data
    assert b"Alice" in data
    assert b"Alice" not in small
    assert small[12:16] == b"VP8 "  # the simplest form of WebP, which has no room for metadata


def test_broken_metadata_do_not_spoil_a_picture(make):
    data = uploads.encoded(two_halves(), "JPEG", exif=b"Exif\0\0II*\0" + b"\xff" * 40)
    assert shown(make(data, "image/jpeg")).size == (512, 256)


def test_photograph_that_is_larger_than_others_may_be_is_decoded_at_an_eighth(make):
    photograph = Image.new("L", (12_000, 10_000), 128)
    small = shown(make(uploads.encoded(photograph, "JPEG"), "image/jpeg"))
    assert small.size == (512, 427)
    assert looks_like(small, (256, 200), (128, 128, 128))


@pytest.mark.parametrize(("kind", "number"), [("GIF", 2000), ("WEBP", 100), ("PNG", 100), ("TIFF", 100)])
def test_of_many_frames_the_first_is_shown(make, kind, number):
    frames = [Image.new("RGB", (64, 64), (0, frame % 256, frame // 256)) for frame in range(number)]
    data = uploads.encoded(Image.new("RGB", (64, 64), RED), kind, save_all=True, append_images=frames)
    assert looks_like(shown(make(data, f"image/{kind.lower()}")), (32, 32), RED)


def test_photograph_of_two_pictures_in_one_file(make):
    data = uploads.encoded(two_halves(), "MPO", save_all=True, append_images=[two_halves()])
    assert looks_like(shown(make(data, "image/jpeg")), (100, 128), RED)


def test_picture_of_another_type_than_it_is_called_is_shown_nevertheless(make):
    assert shown(make(uploads.encoded(two_halves(), "PNG"), "image/jpeg")).size == (512, 256)


@pytest.mark.parametrize(
    "media_type", ["application/zip", "image/svg+xml", "image/x-eps", "application/octet-stream", "", "text"]
)
def test_other_types_have_no_preview(make, media_type):
    assert not previews.can_make(media_type)
    with pytest.raises(PreviewImpossible, match="no previews of files of the type"):
        make(b"", media_type)


def test_whether_there_is_a_preview_is_known_without_a_decoder():
    asked = (
        "import sys; from app.helpers.previews import can_make; print(can_make('image/png'), can_make('TEXT/x;q=1'))"
    )
    asked += "; print([name for name in sys.modules if name.startswith(('PIL', 'pypdfium2'))])"
    answer = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout == "True True\n[]\n"


def test_first_page_of_a_pdf(make):
    font = "/Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>"
    content = b"1 0 0 rg 0 0 100 100 re f 0 0 1 rg BT /F1 40 Tf 105 40 Td (Alice) Tj ET"
    page = shown(make(uploads.pdf(content, resources=font), "application/pdf"))
    assert page.size == (512, 256)
    assert looks_like(page, (100, 128), RED)
    assert looks_like(page, (500, 10), (255, 255, 255))
    blue = [pixel for pixel in page.crop((256, 0, 512, 256)).convert("RGB").get_flattened_data() if pixel[0] < 60]
    assert len(blue) > 500  # the letters


@pytest.mark.parametrize(
    ("box", "size"),
    [
        ("0 0 14400 14400", (512, 512)),
        ("0 0 14400 0.01", (512, 1)),
        ("0 0 1e30 1e-30", None),
        ("0 0 0 0", None),
        ("5 5 -1 -1", None),
    ],
)
def test_page_of_any_size_becomes_a_small_picture(make, box, size):
    page = shown(make(uploads.pdf(box=box), "application/pdf"))
    assert page.size == size or (size is None and max(page.size) <= 512)


def test_text_and_csv(make):
    text = make("Grüße,\0 Alice\r\n".encode("utf-16"), "text/plain; charset=utf-16")
    assert (text.data.decode(), text.type) == ("Grüße, Alice\n", "text/plain; charset=utf-8")
    assert make(b"{}", "application/json").type == "text/plain; charset=utf-8"
    csv = make("name;age\nÄnne;30\n".encode("latin-1"), "text/csv")
    assert (json.loads(csv.data), csv.type) == (
        {"columns": ["name", "age"], "rows": [["Änne", "30"]]},
        "application/json",
    )


@pytest.mark.parametrize("media_type", ["text/plain", "text/csv"])
@pytest.mark.parametrize("start", [b"", b"a,b\n1,2\n", b'a,b\n1,"'])
def test_line_of_half_a_gigabyte(tmp_path, media_type, start):
    path = tmp_path / "long"
    with path.open("wb") as file:
        file.write(start)
        file.truncate(500 << 20)
    assert len(previews.make(path, media_type).data) < 500


def test_empty_text_has_an_empty_preview(make):
    assert make(b"", "text/plain").data == b""
    assert json.loads(make(b"", "text/csv").data) == {"columns": [], "rows": []}


HOSTILE_PICTURES = {
    "empty": lambda: b"",
    "a text": lambda: b"hello",
    "NULs": lambda: bytes(10_000),
    "a header alone": lambda: b"\x89PNG\r\n\x1a\n",
    "a PNG without rows": lambda: uploads.png(100, 100),
    "a PNG of no size": lambda: uploads.png(0, 0),
    "a PNG cut off": lambda: uploads.encoded(Image.effect_noise((300, 300), 90), "PNG")[:20_000],
    "a JPEG cut off": lambda: uploads.encoded(two_halves(), "JPEG")[:2000],
    "a bomb, PNG": lambda: uploads.png(30_000, 30_000, [bytes(3751) * 1000] * 30),
    "a bomb of one line": lambda: uploads.png(2**31 - 1, 1),
    "a bomb, GIF": lambda: (
        b"GIF89a" + struct.pack("<HHBBBBHHHHB", *[65535] * 2, 0, 0, 0, 44, 0, 0, *[65535] * 2, 0) + b"\x08\0"
    ),
    "a bomb, BMP": lambda: b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, 50_000, 50_000, 1, 32, *[0] * 6),
    "a bomb, TIFF": lambda: uploads.tiff({256: 60_000, 257: 60_000, 258: 8, 259: 1, 262: 1, 273: 8, 279: 9}),
    "a TIFF of one strip that is nowhere": lambda: uploads.tiff(
        {256: 7000, 257: 7000, 258: 8, 259: 5, 262: 1, 273: 4_000_000_000, 278: 7000, 279: 4_000_000_000}
    ),
    "a TIFF of tiles of gigabytes": lambda: uploads.tiff(
        {256: 100, 257: 100, 258: 8, 259: 5, 262: 1, 322: 65536, 323: 65536, 324: 8, 325: 100}
    ),
    "an EPS, which would start a program": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
}


@pytest.mark.parametrize("name", HOSTILE_PICTURES)
def test_hostile_picture_is_refused(make, name):
    with pytest.raises(PreviewImpossible, match="too large" if "bomb" in name else "broken"):
        make(HOSTILE_PICTURES[name](), "image/png")


def test_refusal_says_what_is_wrong(make):
    with pytest.raises(PreviewImpossible, match="64 million pixels") as refused:
        make(uploads.png(30_000, 30_000), "image/png")
    assert (refused.value.status, refused.value.slug) == (422, "preview-impossible")
    with pytest.raises(PreviewImpossible, match="broken"):
        make(b"hello", "image/png")
    with pytest.raises(PreviewImpossible, match="encrypted"):
        make(
            uploads.assembled([*uploads.CATALOG, b"<</Type/Page/Parent 2 0 R>>"], uploads.FORBIDDEN), "application/pdf"
        )


def test_decoder_that_takes_gigabytes_runs_out_of_memory(tmp_path):
    path = tmp_path / "huge.webp"  # libwebp wants the whole file
    with path.open("wb") as file:
        file.write(b"RIFF\xff\xff\xff\x7fWEBPVP8 ")
        file.truncate(2 << 30)
    with pytest.raises(PreviewImpossible, match="too much memory"):
        previews.make(path, "image/webp")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"%PDF-1.7\n",
        uploads.pdf()[:100],
        b"%PDF-1.7\n" + bytes(1_000_000),
        uploads.assembled(uploads.CIRCULAR),
        uploads.assembled([*uploads.CATALOG, b"5"]),
    ],
    ids=["empty", "a header alone", "cut off", "NULs", "pages in a circle", "a page that is a number"],
)
def test_broken_pdf_is_refused(make, data):
    with pytest.raises(PreviewImpossible, match="broken"):
        make(data, "application/pdf")


PICTURE = b"/Type/XObject/Subtype/Image/Width 30000/Height 30000/ColorSpace/DeviceRGB/BitsPerComponent 8"
HEAVY_PDFS = {
    "brackets in brackets": lambda: uploads.pdf(b"[" * 1_000_000),
    "a picture of gigabytes": lambda: uploads.pdf(
        b"200 0 0 100 0 0 cm /I Do",
        resources="/XObject<</I 5 0 R>>",
        more=[uploads.zipped(bytes(30_000_000), PICTURE)],
    ),
    "millions of shapes": lambda: uploads.assembled(
        [*uploads.CATALOG, b"<</Type/Page/Parent 2 0 R/Contents 4 0 R>>", uploads.zipped(b"0 0 9 9 re " * 3_000_000)]
    ),
}


@pytest.mark.parametrize("name", HEAVY_PDFS)
def test_heavy_pdf_becomes_a_small_picture(make, name):
    assert max(shown(make(HEAVY_PDFS[name](), "application/pdf")).size) == 512


def test_pdf_of_a_billion_shapes_crashes_alone(make):
    with pytest.raises(PreviewImpossible, match=r"crashed, or took too much memory|too long"):
        make(uploads.billion_laughs(), "application/pdf")


def test_bytes_turned_at_random_harm_nobody(make):
    dice = random.Random(1)
    for kind in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "AVIF"):
        data = bytearray(uploads.encoded(two_halves(size=(200, 100)), kind))
        for place in dice.sample(range(len(data)), 20):
            data[place] = dice.randrange(256)
        try:
            assert max(shown(make(bytes(data), f"image/{kind.lower()}")).size) <= 512
        except PreviewImpossible:
            pass  # as good


@pytest.mark.parametrize("limit", ["CPU_SECONDS", "TIMEOUT_SECONDS"])
def test_endless_file_takes_too_long(endless, monkeypatch, limit):
    monkeypatch.setattr(previews, limit, 1)
    with pytest.raises(PreviewImpossible, match="too long"):
        previews.make(endless, "application/pdf")
    assert not left()


class Interruption(BaseException):
    """As the queue ends a job that has to go."""


def make_and_meanwhile(act: Callable[[psutil.Process], None], path: Path) -> None:
    """Makes the preview of an endless file. Once a process is busy with it, a signal's handler hands it to `act`."""

    def look(*_: object) -> None:
        for process in left():
            if process.cpu_times().user > 0.3:
                signal.setitimer(signal.ITIMER_REAL, 0)
                act(process)

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
    try:
        previews.make(path, "application/pdf")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_interrupted_caller_leaves_no_process_and_does_not_hang(endless):
    def interrupt(process: psutil.Process) -> None:
        seen.append(process)
        raise Interruption

    seen: list[psutil.Process] = []
    with pytest.raises(Interruption):
        make_and_meanwhile(interrupt, endless)
    assert not seen[0].is_running()


def test_caller_may_be_interrupted_at_any_moment(endless):
    env = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "test")])}
    command = [sys.executable, "-W", "ignore", ROOT / "test/interrupted.py", endless]
    answer = subprocess.run(command, check=True, env=env, stdout=subprocess.PIPE, timeout=PATIENCE_SECONDS)
    assert answer.stdout == b"none is left\n"


def test_process_of_which_its_caller_does_not_know_ends_before_it_begins(endless):
    command = [sys.executable, "-m", "app.commands.preview", "pdf", "20", "30"]
    with (
        endless.open("rb") as file,
        subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, cwd=ROOT, env={}) as process,
    ):
        process.stdout.close()
        assert process.wait() == 1


@pytest.mark.parametrize(
    ("number", "error", "words"),
    [
        (signal.SIGSEGV, PreviewImpossible, "crashed"),
        (signal.SIGKILL, RuntimeError, "ended with -9"),
        (signal.SIGTERM, RuntimeError, "ended with -15"),
    ],
)
def test_crash_is_the_files_fault_and_a_kill_is_not(endless, number, error, words):
    with pytest.raises(error, match=words):
        make_and_meanwhile(lambda process: process.send_signal(number), endless)


def test_process_knows_nothing_and_may_do_little(endless):
    def look(process: psutil.Process) -> None:
        seen.append(process.environ())
        seen.append({name: process.rlimit(getattr(psutil, f"RLIMIT_{name}")) for name in limits})
        process.kill()

    limits = {
        "AS": (1 << 30, 1 << 30),
        "CORE": (0, 0),
        "CPU": (20, 21),
        "FSIZE": (64 << 10, 64 << 10),
        "NOFILE": (0, 0),
        "NPROC": (0, 0),
    }
    seen: list[dict] = []
    with pytest.raises(RuntimeError):
        make_and_meanwhile(look, endless)
    assert seen == [{}, limits]


def test_killed_caller_leaves_no_process(endless):
    call = "import sys; from pathlib import Path; from app.helpers.previews import make"
    call += "; make(Path(sys.argv[1]), 'application/pdf')"
    with subprocess.Popen([sys.executable, "-c", call, str(endless)], cwd=ROOT) as caller:
        wait_for(lambda: left(caller.pid), lambda: "it did not start")
        [process] = left(caller.pid)
        caller.kill()
    wait_for(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, lambda: str(process))


def left(pid: int | None = None) -> list[psutil.Process]:
    """The processes that make previews for this one."""
    return [child for child in psutil.Process(pid).children() if "app.commands.preview" in child.cmdline()]
