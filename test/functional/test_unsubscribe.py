"""The way out of an account's campaigns: by one click, for good, and back again."""

import threading

import pytest
from invited import BROWSER, damaged, way_out
from people import PASSWORD
from sqlalchemy import func, select

from app.db import session
from app.models import Unsubscription

ONE_CLICK = {"List-Unsubscribe": "One-Click"}  # RFC 8058


@pytest.fixture
def path(alice):
    return way_out(alice)


def noted() -> list[tuple[int, str]]:
    found = session.execute(select(Unsubscription.user_id, Unsubscription.email_key)).all()
    session.rollback()
    return [(user_id, email_key) for user_id, email_key in found]


def test_page_names_the_address_and_changes_nothing(client, path):
    for method in ("GET", "HEAD", "OPTIONS"):
        client.open(path, method=method, headers=BROWSER)
    page = client.get(path, headers=BROWSER)
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert "grace@example.com" in page.text
    assert page.text.count("<button") == 1
    assert "alice@example.com" not in page.text
    assert client.get(path).json == {"email": "grace@example.com", "subscribed": True}
    assert noted() == []


@pytest.mark.parametrize(
    "body",
    [
        {"data": ONE_CLICK},
        {"data": ONE_CLICK, "content_type": "multipart/form-data"},
        {"data": {"answer": "unsubscribe"}},
        {"data": {"answer": "perhaps"}},
        {"data": {}},
        {},
        {"data": b"\xff=\xff&&=", "content_type": "application/x-www-form-urlencoded"},
        {"data": b"--x", "content_type": "multipart/form-data; boundary=x"},
        {"json": {}},
        {"json": {"answer": {}}},
        {"data": b"whatever", "content_type": "text/plain"},
    ],
)
def test_whatever_is_posted_is_meant_as_an_end(alice, client, path, body):
    answer = client.post(path, **body)
    assert (answer.status_code, answer.json) == (200, {"email": "grace@example.com", "subscribed": False})
    assert noted() == [(alice.id, "grace@example.com")]


@pytest.mark.parametrize(("body", "status"), [(b"{", 400), (b'["subscribe"]', 422)])
def test_json_that_is_no_object_is_refused(client, path, body, status):
    assert client.post(path, data=body, content_type="application/json").status_code == status
    assert noted() == []


def test_page_says_that_it_is_done_and_offers_the_way_back(alice, client, path):
    for _ in range(2):  # the second time changes nothing
        page = client.post(path, data=ONE_CLICK, headers=BROWSER)
        assert page.status_code == 200
        assert "You will get no more messages" in page.text
        assert 'value="subscribe"' in page.text
    assert client.get(path, headers=BROWSER).text == page.text
    assert noted() == [(alice.id, "grace@example.com")]
    page = client.post(path, data={"answer": "subscribe"}, headers=BROWSER)
    assert "You get messages again" in page.text
    assert 'value="unsubscribe"' in page.text
    assert noted() == []


@pytest.mark.parametrize("body", [{"json": {"answer": "subscribe"}}, {"data": {"answer": "subscribe"}}])
def test_way_back_is_open_to_clients_and_to_who_never_left(client, path, body):
    for _ in range(2):
        answer = client.post(path, **body)
        assert (answer.status_code, answer.json["subscribed"]) == (200, True)
    assert noted() == []


def test_accounts_and_addresses_are_apart(alice, bob, client):
    client.post(way_out(alice, "Grace@Example.com"))
    client.post(way_out(bob, "gus@example.com"))
    assert sorted(noted()) == sorted([(alice.id, "grace@example.com"), (bob.id, "gus@example.com")])
    assert client.get(way_out(bob)).json["subscribed"] is True
    assert client.get(way_out(alice, "gus@example.com")).json["subscribed"] is True


def test_those_who_say_it_at_once_are_noted_once(app, alice, path):
    statuses, barrier = [], threading.Barrier(6)

    def leave() -> None:
        barrier.wait()
        statuses.append(app.test_client().post(path, data=ONE_CLICK).status_code)

    threads = [threading.Thread(target=leave) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 6
    assert noted() == [(alice.id, "grace@example.com")]


def test_account_that_is_gone_and_a_forged_link_look_alike(alice, client, path):
    found = []
    for spoiled in (damaged(path), "/unsubscribe/acu_x", path):
        if spoiled == path:
            client.post(path)
            assert alice.delete("/api/v1/user", json={"current_password": PASSWORD}).status_code == 204
        for answer in (client.get(spoiled, headers=BROWSER), client.post(spoiled, headers=BROWSER)):
            assert (answer.status_code, answer.mimetype) == (404, "text/html")
            found.append(answer.text)
        assert client.post(spoiled).json["detail"] == client.get(spoiled).json["detail"]
    assert len(set(found)) == 1
    assert session.scalar(select(func.count()).select_from(Unsubscription)) == 0


def test_nothing_keeps_the_address_of_the_page_or_hands_it_on(client, path):
    for answer in (client.get(path, headers=BROWSER), client.post(path, headers=BROWSER), client.get(damaged(path))):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Robots-Tag"] == "noindex"
        assert "form-action 'self'" in answer.headers["Content-Security-Policy"]
        assert "Set-Cookie" not in answer.headers
