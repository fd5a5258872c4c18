"""The OpenAPI document: complete, valid, true to the models, and browsable without asking anybody else."""

import re

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from app.config import ROOT
from app.errors import problem_types
from app.models import Event, Guest, Job, Task, User


@pytest.fixture
def document(client) -> dict:
    return client.get("/api/v1/openapi.json").json


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_document_is_valid(document):
    assert document["openapi"].startswith("3.1")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_route_is_documented(app, document):
    routes = {
        method + " " + re.sub(r"<(?:[a-z]+:)?([a-z_]+)>", r"{\1}", rule.rule)
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if not rule.rule.startswith(("/internal", "/static", "/docs"))
    }
    assert {name for name, _ in operations(document)} == routes


def test_every_operation_is_described(document):
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(names) == len(set(names))
    for name, operation in operations(document):
        assert operation["summary"], name
        assert min(map(int, operation["responses"])) < 400, f"{name} promises no success"
        assert "500" in operation["responses"], name


@pytest.mark.parametrize("path", ["/api/v1/files/{file_hash}/content", "/api/v1/files/{file_hash}/preview"])
def test_files_come_as_what_they_are(document, path):
    assert "*/*" in document["paths"][path]["get"]["responses"]["200"]["content"]


def test_closed_routes_say_401_and_open_ones_do_not_ask(document):
    for name, operation in operations(document):
        if operation.get("security") != []:
            assert "401" in operation["responses"], name


@pytest.mark.parametrize(("model", "title"), [(Task, "Task"), (Event, "Event"), (Guest, "Guest"), (User, "Account")])
def test_answers_are_what_the_models_show(document, model, title):
    assert tuple(document["components"]["schemas"][title]["properties"]) == model.PUBLIC


def test_job_is_what_the_model_shows(alice, document):
    job = alice.post("/api/v1/baz", json={}).json
    assert list(document["components"]["schemas"]["Job"]["properties"]) == list(job)
    assert Job.__name__ == "Job"


def test_examples_of_the_document_are_accepted(alice, document):
    for name, operation in operations(document):
        method, path = name.split()
        body = operation.get("requestBody")
        if body is None or "application/json" not in body["content"] or "{" in path or method == "DELETE":
            continue
        reference = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for example in document["components"]["schemas"][reference].get("examples", []):
            answer = alice.send(method, path, json=example)
            if answer.status_code in (401, 403, 409, 422) and "password" in example:
                continue  # an example account that is not there, or is there already
            assert answer.status_code < 300, f"{name}: {answer.text}"


def test_problems_of_the_document_are_known(document):
    said = set(re.findall(r"`([a-z-]+)`", " ".join(str(o["responses"]) for _, o in operations(document))))
    assert said <= set(problem_types())


def test_documentation_page_asks_nobody_else(client):
    page = client.get("/docs")
    assert page.status_code == 200
    assert "'unsafe-eval'" not in page.headers["Content-Security-Policy"]
    for address in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert address.startswith("/"), address
        with client.get(address) as answer:
            assert answer.status_code == 200
    assert (ROOT / "app/static/swagger-ui/LICENSE").exists()


def test_reading_the_document_costs_no_query(client, queries):
    client.get("/api/v1/openapi.json")
    assert queries == []
