"""A client that a third-party tool makes of the OpenAPI document: typed, and it works."""

import importlib
import json
import subprocess
import sys
from datetime import UTC, datetime

import httpx
import pytest
from people import PASSWORD

NAME = "generated_client"


@pytest.fixture
def generated(app, client, tmp_path, monkeypatch):
    """The import function of the generated package."""
    (tmp_path / "openapi.json").write_text(json.dumps(client.get("/api/v1/openapi.json").json))
    (tmp_path / "config.yml").write_text("post_hooks: []\n")
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning"]
    paths = ["--path", "openapi.json", "--output-path", NAME, "--config", "config.yml"]
    made = subprocess.run([*command, *paths], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda module: importlib.import_module(f"{NAME}.{module}")
    for module in [module for module in sys.modules if module.split(".")[0] == NAME]:
        del sys.modules[module]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_generated_client_lives_a_whole_life(app, generated):
    models, base = generated("models"), "http://127.0.0.1:5000"
    arguments = {"base_url": base, "httpx_args": {"transport": httpx.WSGITransport(app=app)}}
    anybody = generated("client").Client(**arguments)
    account = generated("api.users.users_create").sync(
        client=anybody, body=models.SignUp(email="alice@example.com", password=PASSWORD)
    )
    me = generated("client").AuthenticatedClient(token=account.token, **arguments)

    due = datetime(2099, 1, 1, tzinfo=UTC)
    create = generated("api.tasks.tasks_create")
    for number in range(5):
        made = create.sync_detailed(client=me, body=models.NewTask(text=f"Task {number}", due_at=due))
        assert made.status_code == 201
    task = made.parsed
    assert (task.text, task.due_at, task.done) == ("Task 4", due, False)

    index, seen, token = generated("api.tasks.tasks_index"), [], None
    while True:
        page = index.sync(client=me, page_size=2, **({"page_token": token} if token else {}))
        seen += [task.text for task in page.items]
        token = page.next_page_token
        if not token:
            break
    assert sorted(seen) == [f"Task {number}" for number in range(5)]

    update, change = generated("api.tasks.tasks_update"), models.TaskChange(done=True)
    etag = made.headers["ETag"]
    assert update.sync(task.id, client=me, body=change, if_match=etag).done is True
    stale = update.sync_detailed(task.id, client=me, body=models.TaskChange(text="late"), if_match=etag)
    assert stale.status_code == 412

    refused = create.sync(client=me, body=models.NewTask(text=""))
    assert isinstance(refused, models.Problem)
    assert [(error.pointer, error.detail) for error in refused.errors] == [
        ("#/text", "must not be blank"),
        ("#/text", "must not be empty"),
    ]
    assert generated("api.tasks.tasks_show").sync(999_999, client=me).status == 404

    job = generated("api.jobs.jobs_show").sync(task.reminder_job_id, client=me)
    assert (job.status.value, job.type_) == ("canceled", "tasks.remind")
