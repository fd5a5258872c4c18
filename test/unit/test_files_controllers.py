"""The doors to files: whose file is asked for, what the service is told, and which status its answer becomes."""

from collections.abc import Callable
from unittest.mock import Mock

import pytest
from flask import jsonify
from flask.testing import FlaskClient

from app.controllers import files as v1
from app.controllers import links
from app.controllers.v0 import files as v0
from app.errors import NotFound
from app.helpers import declare
from app.helpers.content import Upload
from app.models import File
from app.services import files as service

ALICE = Mock(id=7)
UPLOAD = Upload("0" * 32, "a.txt", "text/plain", 5, {})
V1, V0 = "/api/v1/files", "/service/fileupload"


@pytest.fixture
def client(serve) -> FlaskClient:
    return serve(v1.bp, actor=ALICE, upload=UPLOAD)


@pytest.fixture
def old_client(serve) -> FlaskClient:
    return serve(v0.bp, actor=ALICE, upload=UPLOAD)


@pytest.fixture
def replaced(monkeypatch) -> Callable[..., Mock]:
    """Puts a mock in the place of one of the service's functions."""

    def replace(name: str, **options) -> Mock:
        mock = Mock(**options)
        monkeypatch.setattr(service, name, mock)
        return mock

    return replace


@pytest.fixture
def deleted(monkeypatch) -> Mock:
    mock = Mock()
    monkeypatch.setattr(File, "delete", mock)
    return mock


@pytest.fixture
def sent(monkeypatch) -> Mock:
    """Takes a blob that is to be sent."""
    mock = Mock(side_effect=lambda _blob: jsonify("sent"))
    for module in (v1, links):
        monkeypatch.setattr(module, "send", mock)
    return mock


def test_list_is_the_callers_own(client, monkeypatch):
    page = Mock(side_effect=lambda *_args, **_fixed: jsonify([]))
    monkeypatch.setattr(declare, "page", page)
    assert client.get(V1).status_code == 200
    page.assert_called_once_with(File, v1.FILTERS, "-created_at", user_id=7)


@pytest.mark.parametrize(("is_new", "status"), [(True, 201), (False, 200)])
def test_upload_says_whether_the_content_is_new_and_where_it_is(client, file, replaced, is_new, status):
    store = replaced("store", return_value=(file(), is_new))
    answer = client.post(V1)
    assert (answer.status_code, answer.json["name"]) == (status, "a.txt")
    assert answer.headers["Location"] == f"{V1}/{'a' * 64}"
    assert answer.headers["ETag"]
    store.assert_called_once_with(ALICE, UPLOAD)


def test_file_is_shown_without_what_is_ours_alone(client, find_for):
    answer = client.get(f"{V1}/abc")
    assert set(answer.json) == set(File.PUBLIC)
    find_for.assert_called_once_with(ALICE, "abc", lock=False)


@pytest.mark.parametrize("path", ["", "/content", "/preview"])
def test_file_that_the_caller_may_not_see_is_404(client, find_for, path):
    find_for.side_effect = NotFound
    assert client.get(f"{V1}/abc{path}").status_code == 404


@pytest.mark.parametrize(
    ("method", "body"), [("PUT", {"name": "b.csv", "type": "text/csv"}), ("PATCH", {"name": "b.csv"})]
)
def test_change_goes_to_the_service_under_a_lock(client, find_for, replaced, method, body):
    change = replaced("change", return_value=find_for.return_value)
    assert client.open(f"{V1}/abc", method=method, json=body).status_code == 200
    change.assert_called_once_with(find_for.return_value, body)
    find_for.assert_called_once_with(ALICE, "abc", lock=True)


@pytest.mark.parametrize(
    ("method", "body"), [("PUT", {"name": "b.csv"}), ("PATCH", {"sha256": "x"}), ("PATCH", {"name": "a/b"})]
)
def test_bad_change_never_reaches_the_service(client, find_for, replaced, method, body):
    change = replaced("change")
    assert client.open(f"{V1}/abc", method=method, json=body).status_code == 422
    change.assert_not_called()


def test_change_of_what_was_changed_meanwhile_is_412(client, find_for, replaced):
    change = replaced("change")
    assert client.patch(f"{V1}/abc", json={"name": "b"}, headers={"If-Match": '"old"'}).status_code == 412
    change.assert_not_called()


def test_deleted_file_leaves_no_body(client, find_for, deleted):
    answer = client.delete(f"{V1}/abc")
    assert (answer.status_code, answer.data) == (204, b"")
    deleted.assert_called_once_with()


def test_content_is_the_files_blob(client, find_for, sent):
    assert client.get(f"{V1}/abc/content").json == "sent"
    assert sent.call_args.args == (service.content_of(find_for.return_value),)


def test_preview_is_what_the_service_gives(client, find_for, sent, replaced):
    preview_of = replaced("preview_of", return_value="a preview")
    assert client.get(f"{V1}/abc/preview").status_code == 200
    preview_of.assert_called_once_with(find_for.return_value)
    sent.assert_called_once_with("a preview")


@pytest.mark.parametrize("body", [{}, {"expires_in": 60}])
def test_link_is_made_for_as_long_as_was_asked(client, find_for, replaced, body):
    make_link = replaced("make_link", return_value={"url": "https://x"})
    answer = client.post(f"{V1}/abc/links", json=body)
    assert (answer.status_code, answer.json) == (201, {"url": "https://x"})
    make_link.assert_called_once_with(find_for.return_value, **body)


@pytest.mark.parametrize("seconds", [0, 7 * 24 * 3600 + 1, "60"])
def test_link_for_no_time_or_for_ever_is_refused(client, find_for, seconds):
    assert client.post(f"{V1}/abc/links", json={"expires_in": seconds}).status_code == 422


def test_whoever_has_a_link_gets_its_file(serve, file, replaced, sent):
    find_linked = replaced("find_linked", return_value=file(key="1" * 32))
    assert serve(links.bp).get("/api/v1/links/acl_x").status_code == 200
    find_linked.assert_called_once_with("acl_x")
    assert sent.call_args.args[0].key == "1" * 32


def test_old_list_is_a_bare_one_of_the_callers_files(old_client, file, monkeypatch):
    session = Mock(**{"scalars.return_value": [file(name="1"), file(name="2")]})
    monkeypatch.setattr(v0, "session", session)
    assert [one["file_name"] for one in old_client.get(V0).json] == ["1", "2"]
    assert "WHERE files.user_id = " in str(session.scalars.call_args.args[0])


def test_old_upload_shows_the_old_fields_and_that_they_are_deprecated(old_client, file, replaced):
    replaced("store", return_value=(file(), True))
    answer = old_client.post(V0)
    assert answer.status_code == 201
    assert answer.json == {
        "file_name": "a.txt",
        "file_type": "text/plain",
        "file_size": 5,
        "file_md5": "c" * 32,
        "file_sha1": "b" * 40,
        "file_sha256": "a" * 64,
    }
    assert answer.headers["Link"] == '</api/v1/files>; rel="successor-version"'
    assert {"Deprecation", "Sunset"} <= set(answer.headers.keys())


def test_old_upload_of_known_content_is_403_in_the_old_shape(old_client, file, replaced):
    replaced("store", return_value=(file(), False))
    answer = old_client.post(V0)
    assert (answer.status_code, answer.json) == (403, {"error": "A file with this content is there already."})


def test_old_file_is_shown_by_any_hash(old_client, find_for):
    assert old_client.get(f"{V0}/abc").json["file_name"] == "a.txt"
    find_for.assert_called_once_with(ALICE, "abc", lock=False)


def test_old_change_is_told_to_the_service_in_new_words(old_client, find_for, replaced):
    change = replaced("change", return_value=find_for.return_value)
    assert old_client.put(f"{V0}/abc", json={"file_name": "b", "file_type": "text/csv"}).status_code == 201
    change.assert_called_once_with(find_for.return_value, {"name": "b", "type": "text/csv"})


def test_old_change_that_does_not_fit_is_403(old_client, find_for):
    assert old_client.put(f"{V0}/abc", json={"file_name": "b"}).status_code == 403


def test_old_delete_names_what_it_deleted(old_client, find_for, deleted):
    answer = old_client.delete(f"{V0}/abc")
    assert (answer.status_code, answer.json) == (201, f"deleted {'a' * 64}")
    deleted.assert_called_once_with()
