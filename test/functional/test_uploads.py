"""How bytes come in: two ways to send them, what is refused, and that nothing half-written stays."""

import base64
import hashlib
import io
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from people import Person

from app import config
from app.errors import ValidationFailed
from app.helpers.uploads import clean_name

URL = "/api/v1/files"
one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # what no database changes


def form(data: bytes, name: str | None = "a.bin", field: str = "upfile"):
    return {field: (io.BytesIO(data), name)}


def base64_of(algorithm: str, data: bytes) -> str:
    return base64.b64encode(hashlib.new(algorithm, data).digest()).decode()


@pytest.fixture
def blobs(settings):
    """Every file below the storage's folder, finished or not."""
    return lambda: [path for path in (settings.data_dir / "files").rglob("*") if path.is_file()]


@pytest.fixture
def limits(app, settings):
    """Other limits, for this test."""
    yield lambda **values: config.use(replace(settings, **values))
    config.use(settings)


LARGER_THAN_BODIES = (1 << 20) + 1  # of all other requests


@one_database
@pytest.mark.parametrize("data", [b"", b"x", os.urandom(LARGER_THAN_BODIES), b"\r\n--boundary--\r\n" * 9000])
@pytest.mark.parametrize("way", ["form", "body"])
def test_what_goes_up_comes_back(alice, data, way):
    if way == "form":
        head = b'--x\r\nContent-Disposition: form-data; name="upfile"; filename="a.bin"\r\n\r\n'
        answer = alice.post(URL, data=head + data + b"\r\n--x--", content_type="multipart/form-data; boundary=x")
    else:
        answer = alice.post(f"{URL}?name=a.bin", data=data)
    assert answer.status_code == 201, answer.text
    assert (answer.json["size"], answer.json["name"]) == (len(data), "a.bin")
    assert answer.json["sha256"] == hashlib.sha256(data).hexdigest()
    assert alice.get(f"{URL}/{answer.json['md5']}/content").data == data


@one_database
@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system32\\cmd.exe", "cmd.exe"),
        ("C:\\fakepath\\photo.jpg", "photo.jpg"),
        ("..", "file"),
        ("/", "file"),
        ("", "file"),
        ("CON", "CON"),
        ("NUL.txt", "NUL.txt"),
        ("قائمة الضيوف.csv", "قائمة الضيوف.csv"),
        ("\u202egpj.exe", "\u202egpj.exe"),
        ("蜡烛 🕯️.png", "蜡烛 🕯️.png"),
        ('a;b="c".txt', 'a;b="c".txt'),
        ("%2e%2e%2f.txt", "%2e%2e%2f.txt"),
        ("x" * 255, "x" * 255),
    ],
)
def test_names_are_data_and_never_paths(alice, sent, kept, blobs, settings):
    answer = alice.post(URL, query_string={"name": sent}, data=b"x")
    assert (answer.status_code, answer.json["name"]) == (201, kept)
    assert all(path.is_relative_to(settings.data_dir / "files") for path in blobs())
    download = alice.get(f"{URL}/{answer.json['sha256']}/content")
    assert download.data == b"x"
    header = download.headers["Content-Disposition"]
    assert header.startswith("attachment; filename=")
    assert not {"/", "\\", "\u202e", "\n"} & set(header)
    header.encode("ascii")


@one_database
@pytest.mark.parametrize("name", ["x" * 256, "a\0b", "a\rb", "a\x7fb", "蜡" * 300])
@pytest.mark.parametrize("way", ["form", "body"])
def test_bad_name_is_refused_and_leaves_nothing(alice, name, way, blobs):
    if way == "form":
        answer = alice.post(URL, data=form(b"x", name))
    else:
        answer = alice.post(URL, query_string={"name": name}, data=b"x")
    assert answer.status_code in (400, 422)
    assert alice.get(URL).json["items"] == []
    assert blobs() == []


def test_name_may_come_in_content_disposition(alice):
    header = "attachment; filename*=UTF-8''g%C3%A4ste.csv"
    answer = alice.post(URL, data=b"a,b\n", headers={"Content-Disposition": header})
    assert (answer.json["name"], answer.json["type"]) == ("gäste.csv", "text/csv")


@given(st.text(max_size=300))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_name_is_cleaned_or_refused(name):
    try:
        clean = clean_name(name)
    except ValidationFailed:
        return
    assert clean == clean_name(clean)
    assert not set("/\\\0\n") & set(clean)
    assert clean not in ("", ".", "..")


@one_database
@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Content-Digest", f"sha-256=:{base64_of('sha256', b'good')}:"),
        ("Content-Digest", f"sha-512=:{base64_of('sha512', b'good')}:, crc32c=:AAAA:"),
        ("Repr-Digest", f"sha-256=:{base64_of('sha256', b'good')}:;q=1"),
        ("Digest", f"SHA-256={base64_of('sha256', b'good')},MD5={base64_of('md5', b'good')}"),
        ("Digest", f"sha={base64_of('sha1', b'good')}"),
    ],
)
@pytest.mark.parametrize("way", ["form", "body"])
def test_digest_is_checked(alice, header, value, way, blobs):
    def send(data: bytes):
        return alice.post(URL, data=form(data) if way == "form" else data, headers={header: value})

    answer = send(b"bad!")
    assert answer.status_code == 422
    assert answer.json["type"].endswith("/problems/digest-mismatch")
    assert blobs() == []
    assert send(b"good").status_code == 201


def test_digest_of_a_form_is_that_of_the_whole_body(alice):
    body = b'--x\r\nContent-Disposition: form-data; name="upfile"; filename="a"\r\n\r\nhello\r\n--x--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    good = headers | {"Content-Digest": f"sha-256=:{base64_of('sha256', body)}:"}
    bad = headers | {"Content-Digest": f"sha-256=:{base64_of('sha256', body + b'!')}:"}
    assert alice.post(URL, data=body, headers=bad).status_code == 422
    assert alice.post(URL, data=body, headers=good).status_code == 201


@one_database
@pytest.mark.parametrize("value", ["sha-256=abc", "sha-256=:!!!:", "sha-256", "sha-256=:"])
def test_digest_that_is_none_is_malformed(alice, value, blobs):
    assert alice.post(URL, data=b"x", headers={"Content-Digest": value}).status_code == 400
    assert blobs() == []


@one_database
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x--\r\n",
        b"garbage",
        b'--x\r\nContent-Disposition: form-data; name="upfile"; filename="a"\r\n\r\nhello',
        b'--x\r\nContent-Disposition: form-data; name="upfile"; filename="a"\r\n\r\nhello\r\n--x',
        b'--x\r\nContent-Disposition: form-data; name="other"; filename="a"\r\n\r\nhello\r\n--x--\r\n',
        b'--x\r\nContent-Disposition: form-data; name="upfile"\r\n\r\nno file\r\n--x--\r\n',
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"y" * 100_000 + b"\r\n--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="upfile"; filename="a"\r\n\r\n1\r\n'
        b'--x\r\nContent-Disposition: form-data; name="upfile"; filename="b"\r\n\r\n2\r\n--x--\r\n',
        b'--x\r\nContent-Disposition: form-data; name="v"\r\n\r\n1\r\n' * 20 + b"--x--\r\n",
    ],
)
def test_broken_form_is_refused_and_leaves_nothing(alice, body, blobs):
    answer = alice.post(URL, data=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status_code in (400, 413, 422), answer.text
    assert answer.content_type == "application/problem+json"
    assert alice.get(URL).json["items"] == []
    assert blobs() == []


def test_form_without_a_boundary_is_refused(alice):
    assert alice.post(URL, data=b"x", headers={"Content-Type": "multipart/form-data"}).status_code == 400


def test_body_that_ends_too_early_is_refused(alice, blobs):
    environ = {"CONTENT_LENGTH": "50", "wsgi.input_terminated": True}  # as our server says: an end is no proof
    assert alice.post(URL, input_stream=io.BytesIO(b"short"), environ_overrides=environ).status_code == 400
    assert blobs() == []


def test_chunked_body_needs_a_digest(alice, blobs):
    def send(**headers: str):
        environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
        return alice.post(URL, input_stream=io.BytesIO(b"chunks"), environ_overrides=environ, headers=headers)

    answer = send()
    assert answer.status_code == 411
    assert answer.json["type"].endswith("/problems/length-required")
    assert blobs() == []
    assert send(**{"Content-Digest": f"sha-256=:{base64_of('sha256', b'chunks')}:"}).status_code == 201


@pytest.mark.parametrize("way", ["form", "body"])
def test_too_large_a_file_is_refused(alice, limits, way, blobs):
    limits(max_upload_bytes=1000)
    for size, status in ((1001, 413), (200_000, 413), (1000, 201)):
        data = os.urandom(size)
        answer = alice.post(URL, data=form(data) if way == "form" else data)
        assert answer.status_code == status
        if status == 413:
            assert answer.json["max_bytes"] == 1000
            assert blobs() == []


def test_account_has_a_quota(alice, bob, limits, blobs):
    limits(upload_quota_bytes=100_000)
    assert alice.post(URL, data=os.urandom(60_000)).status_code == 201
    for size in (40_001, 90_000, 400_000):
        answer = alice.post(URL, data=os.urandom(size))
        assert answer.status_code == 413
        assert answer.json["type"].endswith("/problems/quota-exceeded")
    assert len(blobs()) == 1
    assert bob.post(URL, data=os.urandom(60_000)).status_code == 201
    assert alice.post(URL, data=os.urandom(40_000)).status_code == 201


def test_same_content_at_once_is_stored_once(alice, blobs):
    def send(number: int) -> tuple[int, str]:
        answer = Person(alice.client.application.test_client(), alice.email, alice.id, alice.token).post(
            URL, query_string={"name": f"{number}.bin"}, data=b"\0the same"
        )
        return answer.status_code, answer.json["sha256"]

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(send, range(6)))
    assert sorted(status for status, _ in answers) == [200] * 5 + [201]
    assert len(set(answers)) == 2
    assert len(alice.get(URL).json["items"]) == len(blobs()) == 1


def test_same_key_gets_the_first_answer_and_another_file_is_refused(alice, blobs):
    headers = {"Idempotency-Key": "upload-1"}
    first = alice.post(URL, data=form(b"one"), headers=headers)
    again = alice.post(URL, data=form(b"one"), headers=headers)
    assert (again.status_code, again.json) == (201, first.json)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert alice.post(URL, data=form(b"two"), headers=headers).status_code == 422
    assert len(blobs()) == 1


def test_upload_needs_a_token(client, blobs):
    assert client.post(URL, data=form(b"x")).status_code == 401
    assert blobs() == []


def test_storage_that_is_full_or_away_is_503(alice, settings):
    (settings.data_dir / "files").parent.mkdir(exist_ok=True)
    (settings.data_dir / "files").write_text("in the way")
    answer = alice.post(URL, data=b"x")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert alice.get(URL).json["items"] == []


OFFICE = "application/vnd.openxmlformats-officedocument"


def zipped(*names: str, data: bytes = b"x") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, data)
    return file.getvalue()


PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0\x90wS\xde"


@one_database
@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (b"a,b\n1,2\n", "x.csv", "text/csv"),
        (b"BM is how this text begins", "x.txt", "text/plain"),
        ("Grüße".encode("latin-1"), "x.txt", "text/plain"),
        ("Grüße".encode("utf-16"), "x.csv", "text/csv"),
        (PNG, "innocent.txt", "image/png"),
        (b"%PDF-1.7\n", "x.png", "application/pdf"),
        (b"<script>alert(1)</script>", "x.png", "text/plain"),
        (b"\0\1\2\3", "x.png", "application/octet-stream"),
        (b"", "x.png", "application/octet-stream"),
        (b'["\xe2\x0b\xff\x01', "x", "application/octet-stream"),
        (b"GIF89a\1\0\1\0\0\0\0;", "x", "image/gif"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0", "x", "image/jpeg"),
        (zipped("a.txt"), "x.docx", "application/zip"),
        (zipped("[Content_Types].xml", "xl/workbook.xml"), "x", f"{OFFICE}.spreadsheetml.sheet"),
        (zipped("mimetype", data=b"application/epub+zip"), "x", "application/epub+zip"),
    ],
)
def test_type_is_told_by_the_bytes(alice, data, name, kind):
    answer = alice.post(URL, query_string={"name": name}, data=data, headers={"Content-Type": "image/svg+xml"})
    assert answer.json["type"] == kind
