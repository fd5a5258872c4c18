"""Rate limits: who is counted, how it is told, and what happens while Redis is away."""

import os
import re
import signal
import threading
import time
from dataclasses import replace

import pytest
from flask import g
from invited import BROWSER, damaged, invited, way_out
from people import PASSWORD
from sqlalchemy import func, select

from app import config
from app.db import session
from app.errors import Forbidden
from app.helpers import limits
from app.models import Task, User

RATES = {
    "rate_limit": "5/minute",
    "rate_limit_address": "4/minute",
    "rate_limit_sign_in": "3/minute",
    "rate_limit_reset": "2/minute",
}
HOME, AWAY = "192.0.2.1", "198.51.100.7"


@pytest.fixture
def database_url(migrated) -> str:
    return migrated("sqlite")  # nothing here depends on the database


@pytest.fixture
def rates() -> dict[str, str]:
    """Tests change it by `parametrize`."""
    return {}


@pytest.fixture
def proxies() -> str:
    return ""


@pytest.fixture
def settings(settings, rates, proxies):
    items = {name: config.RATE.parse(rate) for name, rate in (RATES | rates).items()}
    return replace(settings, **items, trusted_proxies=config.NETWORKS.parse(proxies) if proxies else ())


@pytest.fixture
def frozen_redis(redis_server, app):
    """Redis takes connections and says nothing, as under a debugger or on a disk that hangs."""
    os.kill(redis_server.process.pid, signal.SIGSTOP)
    yield
    os.kill(redis_server.process.pid, signal.SIGCONT)


@pytest.fixture
def dead_redis(redis_server, app):
    redis_server.kill()
    yield
    redis_server.start()


def sign_in(client, email="alice@example.com", *, address=HOME, password="wrong", **options):
    body = {"email": email, "password": password}
    return client.post("/api/v1/authenticate", json=body, environ_base={"REMOTE_ADDR": address}, **options)


def from_address(client, address, **headers):
    return client.get("/api/v1/tasks", environ_base={"REMOTE_ADDR": address}, headers=headers)


def statuses(ask, times) -> list[int]:
    return [ask().status_code for _ in range(times)]


def assert_refused(answer) -> None:
    assert answer.status_code == answer.json["status"] == 429
    assert answer.json["type"].endswith("/problems/rate-limited")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert f";r=0;t={answer.headers['Retry-After']}" in answer.headers["RateLimit"]


def end_of_windows(redis) -> None:
    """What time does by itself, at once."""
    for key in redis.scan_iter("limits:*"):
        redis.pexpire(key, 0)


# ── Who is counted ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_account_is_told_how_it_stands_until_it_is_refused_and_then_goes_on(alice, redis):
    answers = [alice.get("/api/v1/tasks") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"default";q=5;w=60'}
    told = [re.fullmatch(r'"default";r=(\d+);t=(\d+)', answer.headers["RateLimit"]) for answer in answers]
    assert [int(found[1]) for found in told] == [4, 3, 2, 1, 0, 0]
    assert all(1 <= int(found[2]) <= 60 for found in told)
    assert_refused(answers[-1])
    assert "Retry-After" not in answers[0].headers
    end_of_windows(redis)
    assert alice.get("/api/v1/tasks").status_code == 200


@pytest.mark.parametrize("rates", [{"rate_limit": "2/second"}])
def test_window_ends_by_itself(alice):
    assert 429 in statuses(lambda: alice.get("/api/v1/tasks"), 100)
    deadline = time.monotonic() + 10
    while alice.get("/api/v1/tasks").status_code == 429:  # being refused does not make it longer
        assert time.monotonic() < deadline


def test_accounts_do_not_share_a_limit_but_addresses_of_one_account_do(alice, bob, client):
    for _ in range(5):
        assert alice.get("/api/v1/tasks").status_code == 200
    assert alice.get("/api/v1/tasks", environ_base={"REMOTE_ADDR": AWAY}).status_code == 429
    assert alice.get("/api/v1/jobs").status_code == 429
    assert bob.get("/api/v1/tasks").status_code == 200


@pytest.mark.parametrize("path", ["/tasks", "/api/v1/tasks", "/api/v2/foo", "/api/v1/nowhere"])
def test_limit_is_on_every_version_and_on_addresses_that_lead_nowhere(alice, path):
    answers = [alice.get(path) for _ in range(6)]
    assert 429 not in [answer.status_code for answer in answers[:5]]
    assert answers[5].status_code == 429
    assert answers[0].headers["RateLimit-Policy"] == '"default";q=5;w=60'


@pytest.mark.parametrize("path", ["/healthz", "/", "/problems/not-found", "/internal/rq/"])
def test_what_is_no_api_has_no_limit(client, path):
    answers = [client.get(path) for _ in range(8)]
    assert 429 not in [answer.status_code for answer in answers]
    assert "RateLimit" not in answers[0].headers


@pytest.mark.parametrize("token", ["", "Bearer forged", "Bearer a.b.c"])
def test_who_has_no_account_is_counted_by_address_without_a_question_to_the_database(client, queries, token):
    answers = [from_address(client, HOME, Authorization=token) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert_refused(answers[-1])
    assert from_address(client, AWAY, Authorization=token).status_code == 401
    assert queries == []


def test_forged_tokens_do_not_use_up_an_accounts_limit(alice, client):
    assert statuses(lambda: from_address(client, HOME), 6)[-1] == 429
    assert alice.get("/api/v1/tasks", environ_base={"REMOTE_ADDR": HOME}).status_code == 200


def test_account_that_may_not_is_counted_too(alice, app):
    def lack_a_scope():
        g.actor = session.get_one(User, alice.id)
        raise Forbidden

    app.before_request_funcs[None].insert(1, lack_a_scope)
    assert statuses(lambda: alice.get("/api/v1/tasks"), 6) == [403] * 5 + [429]


def test_refused_request_writes_nothing(alice):
    made = [alice.post("/api/v1/tasks", json={"text": "x"}).status_code for _ in range(8)]
    assert made == [201] * 5 + [429] * 3
    assert session.scalar(select(func.count()).select_from(Task)) == 5


def test_simultaneous_requests_get_exactly_the_limit(app, alice):
    found = []

    def ask():
        for _ in range(3):
            found.append(app.test_client().get("/api/v1/tasks", headers={"Authorization": alice.token}).status_code)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [200] * 5 + [429] * 19


def test_one_question_to_redis_for_each_request(alice, app, monkeypatch):
    from redis.connection import AbstractConnection

    alice.get("/api/v1/tasks")  # connects, and loads the script
    sent = []
    send = AbstractConnection.send_packed_command
    monkeypatch.setattr(
        AbstractConnection,
        "send_packed_command",
        lambda self, *args, **more: sent.append(1) or send(self, *args, **more),
    )
    alice.get("/api/v1/tasks")
    assert len(sent) == 1


@pytest.mark.parametrize("rates", [{"rate_limit": "20/minute"}])
def test_who_tries_out_links_of_guests_is_stopped_and_good_ones_cost_an_address_nothing(alice, client):
    good = [invited(alice).path, way_out(alice)]
    for number in range(4):
        assert client.get(damaged(good[number % 2])).status_code == 404
    refused = client.get(damaged(good[0]))
    assert_refused(refused)
    assert refused.headers["RateLimit-Policy"] == '"default";q=20;w=60, "address";q=4;w=60'
    assert client.get(damaged(good[0]), headers=BROWSER).mimetype == "text/html"
    assert [client.get(path).status_code for path in good * 5] == [200] * 10
    assert sign_in(client, address="127.0.0.1").status_code == 401  # that is counted apart
    assert statuses(lambda: client.get(good[0]), 5)[-1] == 429  # of all, there is a limit


@pytest.mark.parametrize("rates", [{"rate_limit": "off"}])
def test_off_means_no_limits_at_all(client, redis):
    answers = [sign_in(client) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 6
    assert "RateLimit" not in answers[0].headers
    assert list(redis.scan_iter("limits:*")) == []


# ── Signing in and the like ──────────────────────────────────────────────────────────────────────────────────────────


def test_guesses_for_one_account_are_few_wherever_they_come_from(client):
    answers = [sign_in(client, "Alice@example.com", address=f"192.0.2.{n}") for n in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert_refused(answers[-1])
    assert answers[0].headers["RateLimit-Policy"] == '"address";q=4;w=60, "email";q=3;w=60'
    assert sign_in(client, " ALICE@EXAMPLE.COM", address=AWAY).status_code == 429
    assert sign_in(client, "bob@example.com", address=AWAY).status_code == 401


def test_guesses_from_one_address_are_few_whomever_they_are_for(client):
    found = [sign_in(client, f"user{n}@example.com").status_code for n in range(6)]
    assert found == [401] * 4 + [429] * 2
    assert sign_in(client, address=AWAY).status_code == 401


def test_unknown_and_known_accounts_are_limited_alike(alice, client):
    found = {}
    for number, email in enumerate((alice.email, "nobody@example.com")):
        found[email] = [sign_in(client, email, address=f"192.0.2.{number}").headers["RateLimit"] for _ in range(4)]
    assert len(set(map(str, found.values()))) == 1


@pytest.mark.parametrize("rates", [{"rate_limit_address": "2/minute"}])
def test_single_stranger_cannot_lock_the_owner_out(alice, client):
    assert statuses(lambda: sign_in(client, alice.email, address=AWAY), 50) == [401] * 2 + [429] * 48
    assert sign_in(client, alice.email, password=PASSWORD).status_code == 200


def test_owner_who_was_shut_out_gets_in_when_the_minute_is_over(alice, client, redis):
    for number in range(4):
        sign_in(client, alice.email, address=f"198.51.100.{number}")
    refused = sign_in(client, alice.email, password=PASSWORD)
    assert_refused(refused)
    assert alice.get("/api/v1/tasks").status_code == 200  # whoever is signed in does not notice
    end_of_windows(redis)
    assert sign_in(client, alice.email, password=PASSWORD).status_code == 200


def test_sign_up_is_limited_by_address_before_the_body_is_read_and_before_any_sql(client, queries):
    class Unread:
        def read(self, *_):
            raise AssertionError("the body was read")

    for number in range(4):
        client.post("/api/v1/user", json={"email": f"user{number}@example.com", "password": PASSWORD})
    queries.clear()
    environ = {"wsgi.input": Unread(), "CONTENT_LENGTH": "100", "CONTENT_TYPE": "application/json"}
    assert_refused(client.post("/api/v1/user", environ_overrides=environ))
    assert queries == []
    assert session.scalar(select(func.count()).select_from(User)) == 4


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"email": 7}', b'{"email": null}', b"\xff", b"[" * 100_000, b""])
def test_bodies_without_an_address_are_the_views_to_refuse(client, body):
    answer = client.post("/api/v1/authenticate", data=body, content_type="application/json")
    assert answer.status_code in (400, 422)
    assert answer.headers["RateLimit-Policy"] == '"address";q=4;w=60'


def test_redis_never_holds_an_address_of_mail(client, redis):
    sign_in(client, "Canary@example.com")
    client.post("/api/v1/user", json={"email": "canary@example.com", "password": PASSWORD})
    keys = b" ".join(redis.scan_iter("limits:*")).lower()
    assert keys.count(b"/email/") == 2
    assert b"canary" not in keys
    assert b"example.com" not in keys


def test_every_route_for_a_password_reset_has_the_tighter_limit(app, settings, redis):
    limiter = limits.Limiter(settings, settings.rate_limit, redis)
    for number in range(3):
        environ = {"REMOTE_ADDR": f"192.0.2.{number}"}
        with app.test_request_context(
            "/x", method="POST", json={"email": "a@example.com"}, environ_base=environ
        ) as asked:
            asked.request.url_rule = type("Rule", (), {"endpoint": "passwords.forgot"})()
            if number < 2:
                limiter.check()
            else:
                with pytest.raises(limits.RateLimited):
                    limiter.check()


# ── Addresses ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_header_of_a_client_counts_for_nothing_without_a_proxy(client):
    found = [from_address(client, HOME, **{"X-Forwarded-For": f"203.0.113.{n}"}).status_code for n in range(6)]
    assert found == [401] * 5 + [429]


@pytest.mark.parametrize("proxies", ["127.0.0.1, 10.0.0.0/8"])
def test_clients_behind_a_proxy_are_told_apart_by_what_the_proxy_wrote(client):
    def through_proxy(n):
        return from_address(client, "127.0.0.1", **{"X-Forwarded-For": f"203.0.113.{n}, 192.0.2.1, 10.1.2.3"})

    assert [through_proxy(n).status_code for n in range(6)] == [401] * 5 + [429]
    other = from_address(client, "127.0.0.1", **{"X-Forwarded-For": "192.0.2.1, 192.0.2.2"})
    assert other.status_code == 401
    assert from_address(client, "192.0.2.9", **{"X-Forwarded-For": "192.0.2.1"}).status_code == 401


# ── Redis away ───────────────────────────────────────────────────────────────────────────────────────────────────────


def lines(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == limits.__name__]


def test_ordinary_requests_go_on_without_redis_and_the_log_says_so_once(alice, dead_redis, caplog):
    answers = [alice.get("/api/v1/tasks") for _ in range(20)]
    assert {answer.status_code for answer in answers} == {200}
    assert "RateLimit" not in answers[0].headers
    assert len(lines(caplog)) == 1
    assert "redis is away" in lines(caplog)[0]


def test_sign_in_stays_limited_without_redis(client, dead_redis):
    assert statuses(lambda: sign_in(client), 4) == [401] * 3 + [429]
    answers = [sign_in(client, f"user{n}@example.com", address=AWAY) for n in range(5)]
    assert [answer.status_code for answer in answers] == [401] * 4 + [429]
    assert_refused(answers[-1])


def test_redis_that_hangs_costs_one_request_a_second_and_the_others_nothing(alice, frozen_redis, caplog):
    started = time.monotonic()
    assert alice.get("/api/v1/tasks").status_code == 200
    assert time.monotonic() - started < 2
    started = time.monotonic()
    assert statuses(lambda: alice.get("/api/v1/tasks"), 20) == [200] * 20
    assert time.monotonic() - started < 1
    assert len(lines(caplog)) == 1


def test_limits_come_back_with_redis(alice, redis_server, monkeypatch, caplog):
    caplog.set_level("INFO", logger=limits.__name__)
    monkeypatch.setattr(limits, "QUIET_SECONDS", 0.0)
    redis_server.kill()
    assert statuses(lambda: alice.get("/api/v1/tasks"), 8) == [200] * 8
    redis_server.start()
    assert statuses(lambda: alice.get("/api/v1/tasks"), 6) == [200] * 5 + [429]
    assert [line.split(" (")[0].split(":")[0] for line in lines(caplog)] == ["redis is away", "redis is back"]


def test_redis_that_lost_its_scripts_still_counts(alice, redis):
    alice.get("/api/v1/tasks")
    redis.script_flush()
    assert alice.get("/api/v1/tasks").headers["RateLimit"].startswith('"default";r=3;')
