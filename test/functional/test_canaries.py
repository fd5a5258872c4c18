"""No secret reaches a log, whatever is sent and whatever goes wrong."""

import dataclasses
import logging

import pytest

from app.helpers import logs

PASSWORD = "cAnAry-password-1"
SECRETS = ("cAnAry", "operator's password")


@pytest.fixture
def loud(app, settings):
    """Everything is logged that can be."""
    logs.configure(dataclasses.replace(settings, debug=True))
    quiet = {name: logging.getLogger(name).level for name in ("sqlalchemy.engine", *logs.NOISY)}
    for name in quiet:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield
    for name, level in quiet.items():
        logging.getLogger(name).setLevel(level)
    logs.configure(settings)


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_is_logged(loud, app, client, settings, work, capfd, form):
    logs.configure(dataclasses.replace(settings, debug=True, log_format=form))
    account = client.post("/api/v1/user", json={"email": "alice@example.com", "password": PASSWORD}).json
    token = account["token"]
    mine = {"Authorization": f"Bearer {token}"}
    client.post("/api/v1/authenticate", json={"email": "alice@example.com", "password": PASSWORD + "x"})
    client.post("/api/v1/authenticate", data=f'{{"password": "{PASSWORD}"', content_type="application/json")
    client.post("/api/v1/user", json={"email": "alice@example.com", "password": PASSWORD})
    client.get("/api/v1/tasks?token=cAnAry&password=cAnAry", headers=mine)
    client.get("/api/v1/fail", headers=mine)
    client.get("/internal/rq/", headers={"Authorization": "Basic b3BlcmF0b3I6Y0FuQXJ5"})
    made = client.post("/api/v1/user/tokens", json={"name": "x", "scopes": ["tasks:read"]}, headers=mine).json
    client.get("/api/v1/tasks", headers={"Authorization": made["token"]})
    client.post("/api/v1/password-reset", json={"email": "alice@example.com"})
    work()
    mails = [path.read_text() for path in (settings.data_dir / "mail").glob("*.eml")]
    codes = [word for mail in mails for word in mail.split() if "acr_" in word]
    assert codes
    said = "".join(capfd.readouterr())
    assert "alice" in said or "INSERT" in said, "nothing was logged: the test proves nothing"
    for secret in (*SECRETS, token, made["token"], settings.secret_key, *codes):
        assert secret not in said


def test_token_that_somebody_logs_is_blanked(app, capfd):
    logging.getLogger("app.test").warning("got Authorization: Bearer abc.def.ghi and redis://:secret@host/0")
    said = capfd.readouterr().err
    assert "abc.def" not in said
    assert ":secret@" not in said


def test_secrets_are_in_no_repr(settings):
    assert settings.secret_key not in repr(settings)
    assert settings.supervisor_password not in repr(settings)
