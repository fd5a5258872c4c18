"""The documentation is true: its requests are sent, and every route is among them."""

import json
import re

import pytest
from flask import Flask
from sqlalchemy import update

from app.config import ROOT
from app.db import session
from app.helpers.links import invitation_url, unsubscribe_url
from app.models import Guest, Recipient

REFUSED = {"/api/v1/fail": 500, "/readyz": 503}  # a bug on purpose; no relay or worker runs beside this test


def readme_requests() -> list[tuple[str, str, str]]:
    """(method, path, body) of each curl in the README."""
    text = (ROOT / "README.md").read_text().replace("\\\n", " ")
    return re.findall(r"curl -X (\w+) http://127\.0\.0\.1:5000(\S+).*?-d '([^']+)'", text)


def http_file() -> list[tuple[str, str, str, str, str]]:
    """(name, method, path, type of the body, body) of each request in requests.http."""
    found = []
    for block in re.split(r"^###.*\n", (ROOT / "requests.http").read_text(), flags=re.MULTILINE):
        line = re.search(r"^(GET|POST|PUT|PATCH|DELETE) (\{\{\S+)$", block, re.MULTILINE)
        if line:
            name = re.search(r"# @name (\w+)", block)
            kind = re.search(r"^Content-Type: (.+)$", block, re.MULTILINE)
            body = block.partition("\n\n")[2].strip()
            path = line[2].removeprefix("{{host}}")
            found.append((name[1] if name else "", line[1], path, kind[1] if kind else "", body))
    return found


def filled(text: str, values: dict) -> str:
    return re.sub(r"\{\{([\w.]+)\}\}", lambda found: str(values[found[1]]), text)


def mailed(guest_id: int) -> dict[str, str]:
    """What is in the links of the mails to this guest."""
    guest = session.get_one(Guest, guest_id)
    links = {"invitation": invitation_url(guest.link_key)}
    links |= {"unsubscribe": unsubscribe_url(guest.event.user_id, guest.email_key)}
    return {name: url.rpartition("/")[2] for name, url in links.items()}


def test_requests_of_the_readme_work_as_written(client):
    answers, token = [], ""
    for method, path, body in readme_requests():
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answers.append(client.open(path, method=method, data=body, content_type="application/json", headers=headers))
        token = token or answers[-1].json["token"]
    assert [answer.status_code for answer in answers] == [201, 201]
    text = (ROOT / "README.md").read_text()
    for answer in answers:
        assert all(f'"{name}":' in text for name in answer.json)


def test_every_request_of_the_file_is_answered_well_and_every_route_is_there(app: Flask, client, settings, work, mails):
    values = {"email": "alice@example.com", "password": "correct horse"}
    routes = {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if not rule.rule.startswith(("/internal", "/static"))
    }
    seen = set()
    adapter = app.url_map.bind("127.0.0.1")
    task_id = ""
    for name, method, path, kind, body in http_file():
        if "{{invitation}}" in path:
            values |= mailed(values["guest.response.body.id"])
        sent = filled(path, values).removeprefix(settings.public_url)
        if sent.endswith("/password-reset/confirm"):
            work()
            values["code"] = re.findall(r"\bacr_\S+", mails()[-1])[0]
        if sent.endswith(("/result", "/preview")):  # of the job that counts, and of the one that makes it
            work()
        if sent.startswith("/task/"):  # the number of whatever task there is
            sent = f"/task/{task_id}"
        if sent.endswith("/retry") and "/campaigns/" in sent:  # of what a mail server would have refused
            session.execute(update(Recipient).values(state="failed"))
            session.commit()
        data = filled(body, values).replace("\n", "\r\n")
        headers = {"Authorization": values["token"]} if "token" in values else {}
        with client.open(sent, method=method, data=data, content_type=kind or None, headers=headers) as answer:
            pass  # a stream of events goes on for ever
        assert answer.status_code == REFUSED.get(sent, answer.status_code), sent
        assert answer.status_code < 400 or sent in REFUSED, f"{method} {sent}: {answer.text}"
        rule, _ = adapter.match(sent.partition("?")[0], method=method, return_rule=True)
        seen.add(f"{method} {rule.rule}")
        if name:
            values |= {f"{name}.response.body.{key}": value for key, value in answer.json.items()}
            first, again = (f"{one}.response.body.token" for one in ("authenticate", "again"))
            values["token"] = values.get(again, values.get(first))
        if sent == "/task":
            task_id = answer.json["result"]["id"]
    assert routes - seen == set()


@pytest.mark.parametrize("path", sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").glob("*.md")), ids=lambda p: p.name)
def test_links_between_documents_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_json_of_the_documents_is_json():
    for _method, _path, body in readme_requests():
        assert json.loads(body)
