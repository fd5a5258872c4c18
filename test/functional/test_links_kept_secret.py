"""A guest's link is a secret: it is in no log and in no alert."""

import json
import logging
from dataclasses import replace

import pytest
from alerts import collecting
from invited import BROWSER, damaged, invited, way_out

from app.helpers import logs
from app.services import invitations, unsubscriptions


@pytest.fixture
def database_url(migrated) -> str:
    return migrated("sqlite")  # nothing here depends on the database


@pytest.fixture
def paths(alice) -> list[str]:
    return [invited(alice).path, way_out(alice)]


def secrets_of(paths: list[str]) -> list[str]:
    """What must not be seen: the token, what is signed, and the signature."""
    tokens = [path.rpartition("/")[2] for path in paths]
    return [*tokens, *(part for token in tokens for part in token.partition("_")[2].split("."))]


def test_no_alert_has_the_link_in_it(client, settings, paths, monkeypatch):
    def fail(token: str, **_options) -> None:
        raise LookupError(f"cannot find {token}")

    monkeypatch.setattr(invitations, "find", fail)
    monkeypatch.setattr(unsubscriptions, "find", fail)
    asked = [path + tail for path in paths for tail in ("", "?answer=accepted")]
    with collecting(settings) as collector:
        for path in asked:
            page = client.get(path, headers=BROWSER | {"Referer": f"http://localhost{path}"})
            assert (page.status_code, page.mimetype) == (500, "text/html")
            assert client.post(path, json={"answer": "accepted"}).status_code == 500
        notices = [received.notice for received in collector.wait_for(2 * len(asked))]
    assert {notice["request"]["url"].split("?")[0] for notice in notices} == {
        "http://localhost/invitations/[FILTERED]",
        "http://localhost/unsubscribe/[FILTERED]",
    }
    assert {notice["request"]["params"]["token"] for notice in notices} == {"[FILTERED]"}
    for secret in secrets_of(paths):
        assert secret not in json.dumps(notices)


def test_no_alert_has_the_link_of_an_unknown_address(app, client, settings, paths):
    def fall() -> None:
        raise LookupError

    app.before_request_funcs[None].append(fall)
    try:
        with collecting(settings) as collector:
            for path in paths:
                assert client.get(path + "/more").status_code == 500
            notices = [received.notice for received in collector.wait_for(len(paths))]
    finally:
        app.before_request_funcs[None].remove(fall)
    for secret in secrets_of(paths):
        assert secret not in json.dumps(notices)


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_log_has_the_link_in_it(alice, client, settings, paths, work, capfd, form):
    logs.configure(replace(settings, debug=True, log_format=form))
    noisy = {name: logging.getLogger(name).level for name in (*logs.NOISY, "sqlalchemy.engine", "werkzeug")}
    for name in noisy:
        logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        guest = invited(alice)
        alice.post(f"/api/v1/guests/{guest.id}/invite")
        work()
        for path in (*paths, guest.path):
            client.get(path, headers=BROWSER)
            client.post(path, data={"answer": "accepted"})
            client.get(damaged(path))
            logging.getLogger("granian.access").info('[now] 127.0.0.1 - "GET %s HTTP/1.1" 200 1.5', path)
    finally:
        for name, level in noisy.items():
            logging.getLogger(name).setLevel(level)
        logs.configure(settings)
    said = "".join(capfd.readouterr())
    assert "/invitations/aci_***" in said
    assert "/unsubscribe/acu_***" in said
    for secret in secrets_of([*paths, guest.path]):
        assert secret not in said
