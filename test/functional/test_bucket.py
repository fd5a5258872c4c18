"""What only a bucket has: links, pages, credentials, and a network in between."""

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from buckets import BUCKET, SECRET, S3Server
from copies import free_ports, wait_for

from app import config
from app.helpers import bucket
from app.helpers.bucket import Bucket
from app.helpers.folder import Folder
from app.helpers.storage import BlobMissing, new_key, open_storage

DISPOSITION = f"attachment; filename=\"a b.txt\"; filename*=UTF-8''{quote('ä ~(1)*.txt')}"
WORK: dict[str, Callable[[Bucket], object]] = {
    "read": lambda bucket: bucket.read(new_key()),
    "write": lambda bucket: put(bucket, b"a blob"),
    "write in parts": lambda bucket: put(bucket, bytes(20 << 20)),
    "delete": lambda bucket: bucket.delete(new_key()),
    "list": lambda bucket: list(bucket.blobs()),
}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"s3://{BUCKET}/{tmp_path.name}"


@pytest.fixture
def storage(aws: pytest.MonkeyPatch, url: str) -> Bucket:
    return Bucket(url)


def put(storage: Bucket, data: bytes) -> str:
    key = new_key()
    writer = storage.writer(key)
    writer.write(data)
    writer.finish()
    return key


def fetch(url: str, **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}", headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def test_the_scheme_chooses_the_storage(aws, url):
    chosen = [open_storage(config.load({"APP_ENV": "test", "SECRET_KEY": "s", "SUPERVISOR_PASSWORD": "p", **env}))
              for env in ({}, {"STORAGE_URL": "file:///srv/files"}, {"STORAGE_URL": url})]  # fmt: skip
    assert list(map(type, chosen)) == [Folder, Folder, Bucket]


def test_a_link_gives_the_blob_with_the_names_that_were_asked_for(storage):
    link = storage.link(put(storage, b"a blob"), 60, DISPOSITION, "text/plain; charset=utf-8")
    status, headers, body = fetch(link)
    assert (status, body) == (200, b"a blob")
    assert headers["Content-Disposition"] == DISPOSITION
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert fetch(link, Range="bytes=2-")[::2] == (206, b"blob")


@pytest.mark.parametrize(
    ("old", "new"), [("Signature=", "Signature=0"), ("text", "html"), ("Expires=60", "Expires=61"), ("a%20b", "c%20b")]
)
def test_a_link_that_was_changed_is_refused(storage, old, new):
    link = storage.link(put(storage, b"a blob"), 60, DISPOSITION, "text/plain")
    assert link.count(old) == 1
    status, _, body = fetch(link.replace(old, new))
    assert status == 403
    assert b"SignatureDoesNotMatch" in body


def test_a_link_ends(storage):
    link = storage.link(put(storage, b"a blob"), 1, DISPOSITION, "text/plain")
    wait_for(lambda: fetch(link)[0] != 200, lambda: "still good", 10)
    status, _, body = fetch(link)
    assert (status, b"AccessDenied" in body) == (400, True)  # S3 itself says 403


def test_a_token_is_part_of_a_link(aws, url):
    aws.setenv("AWS_SESSION_TOKEN", "a token/+=")
    storage = Bucket(url)
    link = storage.link(new_key(), 60, DISPOSITION, "text/plain")
    assert "X-Amz-Security-Token=a%20token%2F%2B%3D&" in link


def test_where_the_machine_has_a_role_there_are_no_links(aws, url):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        aws.delenv(name)
    assert Bucket(url).link(new_key(), 60, DISPOSITION, "text/plain") is None


def test_a_bucket_is_listed_page_by_page(aws):
    server = S3Server()
    folder = server.objects / BUCKET / "x"
    folder.mkdir(parents=True)
    keys = [new_key() for _ in range(2100)]  # S3 lists a thousand at a time
    for key in keys:
        (folder / key).touch()
    with server:
        aws.setenv("AWS_ENDPOINT_URL", server.url)
        assert sorted(blob.key for blob in Bucket(f"s3://{BUCKET}/x").blobs()) == sorted(keys)


def test_a_bucket_needs_no_prefix(aws, s3_server):
    storage = Bucket(f"s3://{BUCKET}")
    key = put(storage, b"a blob")
    assert (s3_server.objects / BUCKET / key).read_bytes() == b"a blob"
    storage.delete(key)


def told(error: pytest.ExceptionInfo[OSError]) -> str:
    line = str(error.value)
    assert type(error.value) is OSError
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__
    assert "\n" not in line
    assert SECRET not in line
    return line


def test_half_a_login_is_told_at_once(aws, url):
    aws.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(OSError, match="Missing SecretAccessKey") as error:
        Bucket(url)
    told(error)


@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_a_bucket_that_is_away_is_told_in_one_line(aws, url, work):
    aws.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_ports(1)[0]}")
    start = time.monotonic()
    with pytest.raises(OSError, match="error sending request") as error:
        work(Bucket(url))
    told(error)
    assert time.monotonic() - start < 10


def test_what_can_not_be_abandoned_now_is_left(aws, url):
    with S3Server() as server:
        aws.setenv("AWS_ENDPOINT_URL", server.url)
        writer, other = Bucket(url).writer(new_key()), Bucket(url).writer(new_key())
        writer.write(bytes(20 << 20))
        other.write(bytes(20 << 20))
        server.kill()
        writer.abandon()
        with pytest.raises(OSError) as error:  # noqa: PT011  # whatever it says, it is one line
            other.finish()
        told(error)
        other.abandon()


@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_a_refusal_is_told_in_one_line(aws, url, work):
    aws.setenv("AWS_SECRET_ACCESS_KEY", f"{SECRET}!")
    with pytest.raises(OSError, match=r"403 Forbidden \(SignatureDoesNotMatch\)") as error:
        work(Bucket(url))
    told(error)


@pytest.mark.parametrize("name", WORK)
def test_a_missing_bucket_is_no_missing_blob(aws, name):
    with pytest.raises(OSError, match=r"404 Not Found \(NoSuchBucket\)") as error:
        WORK[name](Bucket("s3://another/x"))
    told(error)


@pytest.fixture
def silent(aws: pytest.MonkeyPatch) -> Iterator[None]:
    """A storage that takes requests and never answers."""
    aws.setattr(bucket, "SILENT_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        aws.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
        yield


@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_a_silent_bucket_is_not_waited_for(silent, url, work):
    with pytest.raises(OSError, match="error sending request") as error:
        work(Bucket(url))
    told(error)


def test_others_go_on_while_a_bucket_is_waited_for(silent, url):
    def wait() -> None:
        with pytest.raises(OSError, match="error sending request"):
            Bucket(url).read(new_key())

    waiting = threading.Thread(target=wait)
    waiting.start()
    turns = 0
    while waiting.is_alive():
        turns += 1
    assert turns > 1000


def test_a_blob_that_breaks_off_is_an_error(url, aws):
    with S3Server() as server:
        aws.setenv("AWS_ENDPOINT_URL", server.url)
        storage = Bucket(url)
        key = put(storage, bytes(64 << 20))
        pieces = storage.read(key)
        next(pieces)
        server.kill()
        with pytest.raises(OSError) as error:  # noqa: PT011  # whatever it says, it is one line
            list(pieces)
        told(error)
        with pytest.raises(OSError):  # noqa: PT011
            storage.read(key)
        server.start()
        with pytest.raises(BlobMissing):
            storage.read(new_key())
        assert sum(map(len, storage.read(key))) == 64 << 20
