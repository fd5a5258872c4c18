"""The guest's own page: shown to who has the link, answered until the event begins, and changed by no GET."""

import re
import threading

import pytest
from invited import BROWSER, YESTERDAY, damaged, invited, path_of, state
from sqlalchemy import update

from app.db import session
from app.helpers import links
from app.models import Event, Guest, IdempotencyKey
from app.models.base import now, rfc3339
from app.services.messages import readable

REFUSED_BODIES = [
    {"json": {}},
    {"json": {"answer": "maybe"}},
    {"json": {"answer": None}},
    {"json": {"answer": "accepted", "role": "host"}},
    {"json": ["accepted"]},
    {"data": {"answer": "maybe"}},
    {"data": {"answer": ""}},
    {"data": {"reply": "accepted"}},
    {"data": {}},
    {"data": b"accepted", "content_type": "text/plain"},
    {"data": b"answer=accepted"},
    {},
]


@pytest.fixture
def guest(alice):
    return invited(alice)


def look(client, guest):
    return client.get(guest.path, headers=BROWSER)


def say(client, guest, answer: str, **options):
    return client.post(guest.path, data={"answer": answer}, headers=BROWSER, **options)


# Looking


def test_page_says_what_the_guest_is_invited_to(client, guest):
    page = look(client, guest)
    assert (page.status_code, page.mimetype) == (200, "text/html")
    starts_at = session.get_one(Event, guest.event_id).starts_at
    assert f'<time datetime="{rfc3339(starts_at)}">{readable(starts_at)}</time>' in page.text
    assert readable(starts_at).endswith(" UTC")
    for wanted in ("Summer party", "The garden", "Grace", 'value="accepted"', 'value="declined"'):
        assert wanted in page.text
    for hidden in ("grace@example.com", "alice@example.com", "<script"):
        assert hidden not in page.text


def test_client_gets_the_same_as_json(client, guest):
    answer = client.get(guest.path)
    starts_at = session.get_one(Event, guest.event_id).starts_at
    assert answer.json == {
        "event": {"name": "Summer party", "starts_at": rfc3339(starts_at), "place": "The garden"},
        "guest": {"name": "Grace", "status": "invited", "answered_at": None},
        "open": True,
    }


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (BROWSER["Accept"], "text/html"),
        ("text/html", "text/html"),
        ("application/json, text/html;q=0.5", "application/json"),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("image/png", "application/json"),
        ("", "application/json"),
        (";;q=x,,", "application/json"),
    ],
)
def test_browsers_get_html_and_others_json(client, guest, accept, kind):
    for path, refused in ((guest.path, kind), (damaged(guest.path), kind.replace("n/j", "n/problem+j"))):
        assert client.get(path, headers={"Accept": accept}).mimetype == refused


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"])
def test_only_a_post_changes_anything(client, guest, method):
    before = state(guest)
    for query in ("", "?answer=accepted"):
        client.open(guest.path + query, method=method, data={"answer": "accepted"}, headers=BROWSER)
    assert state(guest) == before


def test_what_people_called_themselves_and_things_is_text(alice, client):
    hostile = '<img src=x onerror="alert(1)">{{ 12345679*9 }}'
    page = look(client, invited(alice, event=hostile, name=hostile, place=hostile))
    assert "<img" not in page.text
    assert "111111111" not in page.text
    assert page.text.count("&lt;img src=x onerror=&#34;alert(1)&#34;&gt;") == 4  # the title has it, too


def test_what_is_not_known_yet_is_said_so(alice, client):
    guest = invited(alice, starts_in=None, place=None, name="")
    page = look(client, guest)
    assert page.text.count("to be announced") == 2
    assert "<time" not in page.text
    assert client.get(guest.path).json["event"] == {"name": "Summer party", "starts_at": None, "place": None}
    assert say(client, guest, "accepted").status_code == 303


# Answering


def test_form_leads_back_to_the_page(client, guest):
    answer = say(client, guest, "accepted")
    assert (answer.status_code, answer.headers["Location"]) == (303, guest.path)
    page = look(client, guest)
    assert "You have accepted." in page.text
    assert 'value="accepted"' not in page.text
    assert state(guest).status == "accepted"


@pytest.mark.parametrize("answer", ["accepted", "declined"])
def test_json_is_answered_with_the_invitation(client, guest, answer):
    said = client.post(guest.path, json={"answer": answer})
    assert said.status_code == 200
    assert said.json["guest"] == {"name": "Grace", "status": answer, "answered_at": rfc3339(state(guest).answered_at)}
    assert client.get(guest.path).json == said.json


def test_browser_that_sends_json_is_no_form(client, guest):
    assert client.post(guest.path, json={"answer": "accepted"}, headers=BROWSER).status_code == 200


def test_guest_may_change_their_mind(client, guest):
    times = []
    for answer in ("accepted", "declined", "declined", "accepted"):
        assert say(client, guest, answer).status_code == 303
        assert state(guest).status == answer
        times.append(state(guest).answered_at)
    assert times[0] < times[1] == times[2] < times[3]  # the same again is no new answer


def test_guest_who_was_not_invited_yet_but_has_the_link_may_answer(alice, client):
    guest = invited(alice, status="added")
    assert client.post(guest.path, json={"answer": "declined"}).json["guest"]["status"] == "declined"


def test_answers_end_when_the_event_begins(alice, client):
    guest = invited(alice, starts_in=YESTERDAY, status="accepted", answered_at=now())
    before = state(guest)
    page = look(client, guest)
    assert "The event has begun" in page.text
    assert "You have accepted." in page.text
    assert "<button" not in page.text
    assert client.get(guest.path).json["open"] is False
    refused = client.post(guest.path, json={"answer": "declined"})
    assert (refused.status_code, refused.mimetype) == (409, "application/problem+json")
    page = say(client, guest, "declined")
    assert (page.status_code, page.mimetype) == (409, "text/html")
    assert "The event has begun" in page.text
    assert state(guest) == before


@pytest.mark.parametrize("body", REFUSED_BODIES)
def test_anything_else_is_422(client, guest, body):
    before = state(guest)
    refused = client.post(guest.path, **body)
    assert (refused.status_code, refused.mimetype) == (422, "application/problem+json")
    assert refused.json["errors"]
    page = client.post(guest.path, headers=BROWSER, **body)
    assert (page.status_code, page.mimetype) == (422, "text/html")
    assert "Please choose an answer" in page.text
    assert state(guest) == before


def test_broken_json_is_400(client, guest):
    assert client.post(guest.path, data=b"{", content_type="application/json").status_code == 400


def test_answers_at_once_are_one_after_the_other(app, guest):
    statuses, barrier = [], threading.Barrier(6)

    def answer(number: int) -> None:
        barrier.wait()
        given = {"answer": "accepted" if number % 2 else "declined"}
        statuses.append(app.test_client().post(guest.path, json=given).status_code)

    threads = [threading.Thread(target=answer, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 6
    assert state(guest).status in ("accepted", "declined")


def test_idempotency_key_is_for_clients_and_never_for_pages(client, guest):
    key = {"Idempotency-Key": "one"}
    first = client.post(guest.path, json={"answer": "accepted"}, headers=key)
    again = client.post(guest.path, json={"answer": "accepted"}, headers=key)
    assert (again.json, again.headers["Idempotency-Replayed"]) == (first.json, "true")
    for _ in range(2):
        answer = client.post(guest.path, data={"answer": "declined"}, headers=key | BROWSER)
        assert (answer.status_code, answer.mimetype) == (303, "text/html")
    kept = session.query(IdempotencyKey.body, IdempotencyKey.location).all()
    assert links.INVITATION[0] not in str(kept)


# Links that lead nowhere


def forged(_alice, guest) -> str:
    return damaged(guest.path)


def of_another_kind(alice, _guest) -> str:
    token = links.unsubscribe_url(alice.id, "grace@example.com").rpartition("/")[2]
    return "/invitations/" + token.replace("acu_", "aci_")


def taken_back(alice, guest) -> str:
    assert alice.delete(f"/api/v1/guests/{guest.id}/invitation").status_code == 204
    return guest.path


def of_a_deleted_guest(_alice, guest) -> str:
    session.delete(session.get_one(Guest, guest.id))
    session.commit()
    return guest.path


def of_a_deleted_event(_alice, guest) -> str:
    session.delete(session.get_one(Event, guest.event_id))
    session.commit()
    return guest.path


def test_links_that_lead_nowhere_look_alike(alice, client):
    pages, problems = set(), set()
    for spoil in (forged, of_another_kind, taken_back, of_a_deleted_guest, of_a_deleted_event):
        path = spoil(alice, invited(alice))
        for answer in (
            client.get(path, headers=BROWSER),
            client.post(path, data={"answer": "accepted"}, headers=BROWSER),
        ):
            assert (answer.status_code, answer.mimetype) == (404, "text/html"), spoil
            pages.add(answer.text)
        for answer in (client.get(path), client.post(path, json={"answer": "accepted"})):
            assert (answer.status_code, answer.mimetype) == (404, "application/problem+json"), spoil
            problems.add(str(answer.json | {"instance": "", "request_id": ""}))
    assert (len(pages), len(problems)) == (1, 1)
    assert "This link does not work" in pages.pop()


@pytest.mark.parametrize("path", ["/invitations", "/invitations/", "/invitations/aci_x/y", "/unsubscribe/"])
def test_link_that_was_cut_short_gets_a_page_too(client, path):
    page = client.get(path, headers=BROWSER)
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert "This link does not work" in page.text
    assert client.get("/nowhere", headers=BROWSER).mimetype == "application/problem+json"


# What is on every answer


def test_nothing_keeps_the_address_of_a_page_or_hands_it_on(alice, client, guest):
    over = invited(alice, starts_in=YESTERDAY)
    answers = [
        look(client, guest),
        client.get(guest.path),
        say(client, guest, "accepted"),
        say(client, guest, "maybe"),
        say(client, over, "accepted"),
        client.get(damaged(guest.path)),
        client.get(damaged(guest.path), headers=BROWSER),
        client.put(guest.path, headers=BROWSER),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 303, 422, 409, 404, 404, 405]
    for answer in answers:
        headers = answer.headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Robots-Tag"] == "noindex"
        assert headers["Vary"] == "Accept"
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        assert (policy["default-src"], policy["form-action"]) == ("'none'", "'self'")
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert "script-src" not in policy
        assert "Set-Cookie" not in headers


def test_page_asks_nobody_else(client, guest):
    addresses = re.findall(r'(?:src|href)="([^"]+)"', look(client, guest).text)
    assert addresses
    for address in addresses:
        with client.get(address) as answer:
            assert (address[0], answer.status_code) == ("/", 200)


def test_answer_moves_with_the_link_to_nobody_else(alice, client, guest):
    other = invited(alice, name="Gus", email="gus@example.com")
    say(client, guest, "accepted")
    assert state(other).status == "invited"
    session.execute(update(Guest).where(Guest.id == guest.id).values(link_key="another"))
    session.commit()
    assert client.get(path_of(links.invitation_url("another"))).json["guest"]["name"] == "Grace"
