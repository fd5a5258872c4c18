"""Failures of requests reach the collector, with what was asked and without its secrets; the answer is not touched."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from alerts import CANARY, fall, reporting_to
from collector import Collector
from flask import Flask, abort

from app import config
from app.errors import Unavailable
from app.helpers import monitoring, web_monitoring


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture
def reporting(collector: Collector, tmp_path: Path) -> Iterator[config.Settings]:
    with reporting_to(collector, tmp_path) as settings:
        yield settings


@pytest.fixture
def site() -> Flask:
    site = Flask("site")
    site.config["PROPAGATE_EXCEPTIONS"] = False
    web_monitoring.init(site)
    site.register_error_handler(500, lambda _: ({"title": "Internal server error"}, 500))
    site.register_error_handler(Unavailable, lambda _: ({"title": "Later"}, 503))

    @site.post("/invitations/<token>/<int:event_id>")
    def answer(token: str, event_id: int):
        fall()

    @site.get("/missing")
    def missing():
        abort(404)

    @site.get("/away")
    def away():
        raise Unavailable

    return site


def test_failure_of_a_request_is_reported_without_its_secrets(reporting, collector, site):
    reply = site.test_client().post(
        f"/invitations/{CANARY}/7?page=2&reset%5Ftoken={CANARY}&q=a",
        json={"password": CANARY},
        headers={"Authorization": f"Bearer {CANARY}", "Cookie": f"s={CANARY}", "User-Agent": "tester"},
    )
    assert (reply.status_code, reply.json) == (500, {"title": "Internal server error"})
    [received] = collector.wait_for(1)
    request = received.notice["request"]
    assert request["url"] == "http://localhost/invitations/[FILTERED]/7?page=2&reset_token=[FILTERED]&q=a"
    assert request["action"] == "answer"
    assert request["params"]["event_id"] == 7
    assert request["cgi_data"]["REQUEST_METHOD"] == "POST"
    assert request["cgi_data"]["HTTP_USER_AGENT"] == "tester"
    assert CANARY not in json.dumps(received.notice)


@pytest.mark.parametrize(("path", "status"), [("/missing", 404), ("/away", 503), ("/nowhere", 404)])
def test_what_is_no_failure_is_not_reported(reporting, collector, site, path, status):
    assert site.test_client().get(path).status_code == status
    assert monitoring.flush()
    assert collector.received == []


def test_failure_before_an_unknown_address_is_reported(reporting, collector, site):
    site.before_request(fall)
    assert site.test_client().get("/nowhere").status_code == 500
    [received] = collector.wait_for(1)
    assert received.notice["request"]["url"] == "http://localhost/nowhere"
    assert received.notice["request"]["action"] == "/nowhere"


def test_answer_goes_out_while_the_collector_is_away(reporting, collector, site):
    monitoring.configure(replace(reporting, honeybadger_endpoint="http://127.0.0.1:1"))
    assert site.test_client().post("/invitations/x/7").status_code == 500
