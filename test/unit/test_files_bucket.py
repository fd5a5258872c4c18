"""What a bucket's client is told, and what becomes of its answers and its errors."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock
from urllib.parse import parse_qs, urlsplit

import pytest
from obstore.exceptions import GenericError

from app.helpers import bucket
from app.helpers.bucket import Bucket
from app.helpers.storage import BlobMissing

KEY = "0" * 32
DENIED = GenericError(
    "Generic S3 error: Error performing PUT https://bucket/0?token=canary in 2 s - Server returned non-2xx "
    "status code: 403 Forbidden: <Error><Code>AccessDenied</Code>\n\nDebug source: page after page canary"
)
IN_ONE_LINE = (
    "Generic S3 error: Error performing PUT https://bucket/0 in 2 s - Server returned non-2xx "
    "status code: 403 Forbidden (AccessDenied)"
)
# The example of a presigned URL in Amazon's documentation of Signature Version 4.
ACCESS, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SIGNED = {
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": f"{ACCESS}/20130524/us-east-1/s3/aws4_request",
    "X-Amz-Date": "20130524T000000Z",
    "X-Amz-Expires": "86400",
    "X-Amz-SignedHeaders": "host",
}
REQUEST = f"""GET
/test.txt
X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={ACCESS}%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host
host:examplebucket.s3.amazonaws.com

host
UNSIGNED-PAYLOAD"""
SIGNATURE = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"


@pytest.fixture
def client(monkeypatch) -> Mock:
    """obstore, whose answers the test says."""
    mock = Mock()
    monkeypatch.setattr(bucket, "obstore", mock)
    monkeypatch.setattr(bucket, "S3Store", mock.S3Store)
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    return mock


@pytest.fixture
def storage(client, monkeypatch) -> Bucket:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    return Bucket("s3://bucket/a/prefix/")


@pytest.mark.parametrize(("url", "prefix"), [("s3://bucket/a/b/", "a/b"), ("s3://bucket", None)])
def test_address_names_bucket_and_prefix(client, url, prefix):
    Bucket(url)
    assert client.S3Store.call_args.args == ("bucket",)
    assert client.S3Store.call_args.kwargs["prefix"] == prefix


@pytest.mark.parametrize(("endpoint", "allowed"), [("http://127.0.0.1:1", True), ("https://x", False), ("", False)])
def test_unencrypted_only_where_the_endpoint_says_so(client, monkeypatch, endpoint, allowed):
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    Bucket("s3://bucket")
    assert client.S3Store.call_args.kwargs["client_options"]["allow_http"] is allowed


def test_login_that_is_incomplete_is_told_in_one_line(client):
    client.S3Store.side_effect = GenericError("Missing SecretAccessKey\n\nDebug source: …")
    with pytest.raises(OSError, match=r"^Missing SecretAccessKey$"):
        Bucket("s3://bucket")


def test_blob_is_there_when_its_upload_is_closed(storage, client):
    writer = storage.writer(KEY)
    assert client.open_writer.call_args.args == (storage.store, KEY)
    writer.write(b"hello")
    writer.file.write.assert_called_once_with(b"hello")
    writer.file.close.assert_not_called()
    writer.finish()
    writer.file.close.assert_called_once_with()


def test_upload_is_abandoned_by_an_exception_and_what_that_brings_is_nothing_to_us(storage):
    writer = storage.writer(KEY)
    writer.file.__exit__ = Mock(side_effect=OSError("it is closed"))
    writer.abandon()
    assert writer.file.__exit__.call_args.args[0] is InterruptedError


@pytest.mark.parametrize(
    ("stretch", "asked"),
    [
        ((), {}),
        ((0, 5), {"range": (0, 5)}),
        ((3, 5), {"range": (3, 5)}),
        ((3,), {"range": {"offset": 3}}),
        ((3, 3), {"range": (3, 4)}),
    ],
)
def test_no_more_is_asked_for_than_is_wanted(storage, client, stretch, asked):
    client.get.return_value.stream.return_value = iter([b"he", b"llo"])
    pieces = list(storage.read(KEY, *stretch))
    client.get.assert_called_once_with(storage.store, KEY, options=asked)
    assert pieces == ([] if stretch == (3, 3) else [b"he", b"llo"])


def test_whoever_stops_reading_closes_the_answer(storage, client):
    client.get.return_value.stream.return_value = iter([b"he", b"llo"])
    pieces = storage.read(KEY)
    assert next(pieces) == b"he"
    pieces.close()
    assert list(pieces) == []


def test_stretch_behind_the_end_is_empty(storage, client):
    client.get.side_effect = GenericError("status code: 416 Range Not Satisfiable")
    assert list(storage.read(KEY, 9)) == []


@pytest.mark.parametrize(
    ("said", "raised"),
    [
        (FileNotFoundError("<Code>NoSuchKey</Code>"), BlobMissing),
        (FileNotFoundError("<Code>NoSuchBucket</Code>"), OSError),
        (GenericError("no answer"), OSError),
        (PermissionError("no"), OSError),
    ],
)
def test_blob_is_missing_only_where_its_bucket_is_there(storage, client, said, raised):
    client.get.side_effect = said
    with pytest.raises((BlobMissing, OSError)) as error:
        storage.read(KEY)
    assert type(error.value) is raised


def test_delete_names_the_blob(storage, client):
    storage.delete(KEY)
    client.delete.assert_called_once_with(storage.store, KEY)


def test_all_pages_are_listed_but_for_what_others_put_there(storage, client):
    written_at = datetime(2026, 11, 21, tzinfo=UTC)
    facts = [{"path": path, "size": 5, "last_modified": written_at} for path in (KEY, "README", "1" * 32)]
    client.list.return_value = iter([facts[:1], facts[1:]])
    assert [(blob.key, blob.size, blob.written_at) for blob in storage.blobs()] == [
        (KEY, 5, written_at),
        ("1" * 32, 5, written_at),
    ]


def breaking_off() -> Iterator[bytes]:
    return iter(Mock(side_effect=DENIED), None)


@pytest.mark.parametrize(
    ("name", "answer", "work"),
    [
        ("open_writer.return_value.write", {"side_effect": DENIED}, lambda storage: storage.writer(KEY).write(b"x")),
        ("open_writer.return_value.close", {"side_effect": DENIED}, lambda storage: storage.writer(KEY).finish()),
        ("get", {"side_effect": DENIED}, lambda storage: storage.read(KEY)),
        ("get", {"return_value.stream.return_value": breaking_off()}, lambda storage: list(storage.read(KEY))),
        ("delete", {"side_effect": DENIED}, lambda storage: storage.delete(KEY)),
        ("list", {"return_value": breaking_off()}, lambda storage: list(storage.blobs())),
        ("sign", {"side_effect": DENIED}, lambda storage: storage.link(KEY, 1, "", "")),
    ],
    ids=["write", "finish", "read", "read on", "delete", "list", "link"],
)
def test_whatever_goes_wrong_is_one_line_without_secrets(storage, client, name, answer, work):
    client.configure_mock(**{f"{name}.{how}": what for how, what in answer.items()})
    with pytest.raises(OSError, match="AccessDenied") as error:
        work(storage)
    assert (type(error.value), str(error.value)) == (OSError, IN_ONE_LINE)


def test_blob_of_a_bucket_is_no_file_of_this_machine(storage):
    assert storage.path(KEY) is None


def test_signature_is_the_one_of_amazons_own_example(storage):
    assert storage._sign(REQUEST, SIGNED) == SIGNATURE


def test_link_holds_what_the_answer_shall_say_under_a_signature_of_ours(storage, client):
    query = "&".join(f"{name}={value}" for name, value in {**SIGNED, "X-Amz-Signature": "theirs"}.items())
    client.sign.return_value = f"https://bucket.s3.amazonaws.com/a/{KEY}?{query}"
    link = storage.link(KEY, 60, 'attachment; filename="a b"', "text/plain")
    client.sign.assert_called_once_with(storage.store, "GET", KEY, timedelta(seconds=60))
    values = {name: value for name, [value] in parse_qs(urlsplit(link).query).items()}
    assert len(values.pop("X-Amz-Signature")) == 64
    headers = {"response-content-disposition": 'attachment; filename="a b"', "response-content-type": "text/plain"}
    assert values == SIGNED | headers
    assert "+" not in link  # a space is %20 there


def test_without_a_secret_key_there_are_no_links(client):
    assert Bucket("s3://bucket").link(KEY, 60, "attachment", "text/plain") is None
    client.sign.assert_not_called()
