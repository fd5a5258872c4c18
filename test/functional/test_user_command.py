"""`run.py user`: accounts from the command line, the first administrator above all."""

import io
import json
import os
import subprocess
import sys

import pytest
from people import PASSWORD, Person
from sqlalchemy import select

from app.commands import user as command
from app.config import ROOT
from app.db import session
from app.models import Task, User
from app.queue import doorbell

NEW = "a brand new password"


@pytest.fixture
def environment(app, settings, redis_server) -> dict[str, str]:
    """What a person at the terminal would have set."""
    return {
        "APP_ENV": "test",
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": redis_server.url,
        "DATA_DIR": str(settings.data_dir),
        "SECRET_KEY": settings.secret_key,
        "SUPERVISOR_PASSWORD": settings.supervisor_password,
        "ACCEPTED_SETUP": "false",
    }


class Keyboard(io.StringIO):
    """Standard input that is a terminal, or is none."""

    terminal = False

    def isatty(self) -> bool:
        return self.terminal


@pytest.fixture
def run(app, environment, monkeypatch, capsys):
    """Runs the command in this process: its exit code, and what it wrote to standard output and standard error."""

    def run_command(*arguments: str, typed: str = "") -> tuple[int, str, str]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "stdin", Keyboard(typed))
        doorbell.connection().close()
        code = command.main(list(arguments))
        session.configure(bind=app.extensions["accepted.engine"])  # the command has closed its own
        return code, *capsys.readouterr()

    return run_command


def sign_in(client, email, password=PASSWORD):
    return client.post("/api/v1/authenticate", json={"email": email, "password": password})


def test_first_administrator_is_made(run, client):
    code, out, err = run("add", "root@example.com", "--role", "admin", "--json", typed=PASSWORD + "\n")
    assert (code, err) == (0, "")
    assert json.loads(out)["role"] == "admin"
    answer = sign_in(client, "root@example.com")
    admin = Person(client, "root@example.com", answer.json["id"], answer.json["token"])
    assert admin.get("/api/v1/user").json == json.loads(out)


@pytest.mark.parametrize(
    ("arguments", "typed", "told"),
    [
        (["add", "alice@example.com"], PASSWORD, "accepted: An account with this e-mail address exists already.\n"),
        (["add", "new@example.com"], "", "accepted: password must have at least 8 characters\n"),
        (["add", "new@example.com"], "short\n", "accepted: password must have at least 8 characters\n"),
        (["add", "new"], PASSWORD, "accepted: email must be an e-mail address\n"),
        (["role", "x@example.com", "admin"], "", "accepted: there is no account with the e-mail address"),
        (["password", "x@example.com"], PASSWORD, "accepted: there is no account with the e-mail address"),
        (["password", "alice@example.com"], "short", "accepted: password must have at least 8 characters\n"),
        (["delete", "x@example.com", "--yes"], "", "accepted: there is no account with the e-mail address"),
        (["delete", "alice@example.com"], "alice@example.com\n", "accepted: nobody is there to ask: say --yes\n"),
    ],
)
def test_refusal_is_one_line_and_changes_nothing(alice, client, run, arguments, typed, told):
    code, out, err = run(*arguments, typed=typed)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(told)
    assert [(user.email, user.role) for user in session.scalars(select(User))] == [("alice@example.com", "user")]
    session.rollback()
    assert alice.get("/api/v1/user").status_code == 200


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["add"],
        ["add", "a@example.com", "a password"],
        ["add", "a@example.com", "--password", "x"],
        ["add", "a@example.com", "--role", "king"],
        ["role", "a@example.com"],
    ],
)
def test_wrong_usage_is_2(run, arguments):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("usage: run.py user")


@pytest.mark.parametrize("name", ["", "add", "list", "role", "password", "delete"])
def test_every_command_has_help(run, name):
    code, out, _ = run(*([name] if name else []), "--help")
    assert code == 0
    assert out.startswith("usage: run.py user")


def test_list_shows_the_accounts(alice, bob, run):
    run("role", "BOB@example.com", "operator")
    code, out, _ = run("list")
    assert code == 0
    assert [line.split()[1:] for line in out.splitlines()] == [["user", alice.email], ["operator", bob.email]]
    assert [account["email"] for account in json.loads(run("list", "--json", "--role", "operator")[1])] == [bob.email]


def test_role_is_given_and_taken(alice, run):
    for role in ("operator", "user"):
        assert run("role", alice.email, role)[0] == 0
        assert alice.get("/api/v1/user").json["role"] == role


def test_new_password_ends_sessions_and_tokens(alice, client, run):
    secret = alice.post("/api/v1/user/tokens", json={"name": "x", "scopes": ["user:read"]}).json["token"]
    code, out, _ = run("password", alice.email, typed=f"{NEW}\r\n")
    assert code == 0
    assert NEW not in out
    for token in (alice.token, secret):
        assert Person(client, alice.email, alice.id, token).get("/api/v1/user").status_code == 401
    assert sign_in(client, alice.email).status_code == 401
    assert sign_in(client, alice.email, NEW).status_code == 200


def test_account_is_deleted_with_everything(alice, run):
    alice.post("/api/v1/tasks", json={"text": "x", "due_at": "2099-01-01T00:00:00Z"})
    assert run("delete", alice.email, "--yes")[0] == 0
    assert session.scalars(select(Task)).all() == []
    session.rollback()
    assert alice.get("/api/v1/user").status_code == 401


def at_the_terminal(monkeypatch, *answers: str) -> None:
    typed = iter(answers)
    monkeypatch.setattr(Keyboard, "terminal", True)
    for place in ("getpass.getpass", "builtins.input"):
        monkeypatch.setattr(place, lambda _prompt: next(typed))


def test_password_is_asked_for_twice_at_a_terminal(client, run, monkeypatch):
    at_the_terminal(monkeypatch, NEW, NEW)
    assert run("add", "root@example.com")[0] == 0
    assert sign_in(client, "root@example.com", NEW).status_code == 200
    at_the_terminal(monkeypatch, NEW, PASSWORD)
    assert run("password", "root@example.com")[::2] == (1, "accepted: the two passwords differ\n")


def test_deletion_is_asked_about_at_a_terminal(alice, run, monkeypatch):
    at_the_terminal(monkeypatch, "yes")
    assert run("delete", alice.email)[::2] == (1, "accepted: nothing was deleted\n")
    at_the_terminal(monkeypatch, alice.email)
    assert run("delete", alice.email)[0] == 0


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # what it does was tested above on both
def test_real_command_from_a_shell(alice, environment, client):
    """Once as it is called: by run.py, with the password on standard input."""

    def shell(*arguments: str, typed: bytes = b"") -> subprocess.CompletedProcess:
        call = [sys.executable, str(ROOT / "run.py"), "user", *arguments]
        return subprocess.run(call, env=os.environ | environment, input=typed, capture_output=True, check=False)

    made = shell("add", "root@example.com", "--role", "admin", typed=PASSWORD.encode())
    assert (made.returncode, made.stderr) == (0, b"")
    assert b"admin     root@example.com  made" in made.stdout
    assert sign_in(client, "root@example.com").status_code == 200
    refused = shell("add", "root@example.com", typed=b"\xff\xfe\n")
    assert (refused.returncode, refused.stdout, refused.stderr.count(b"\n")) == (1, b"", 1)
    environment["DATABASE_URL"] = "sqlite:////nowhere/at/all.db"
    away = shell("list")
    assert (away.returncode, away.stderr.count(b"\n")) == (1, 1)
    assert away.stderr.startswith(b"accepted: DATABASE_URL: can't reach")
