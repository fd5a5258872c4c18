"""`run.py user`: accounts from the command line, above all the first administrator's. Passwords come from the terminal
or from standard input, never from the arguments, which every user of the machine can see."""

import argparse
import getpass
import json
import sys
from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from app import config, db, migrate
from app.boot import boot
from app.db import session
from app.errors import AppError, ConfigError, NotFound, ValidationFailed
from app.helpers.passwords import hash_password
from app.models import User
from app.models.user import ROLES
from app.schemas import users as schemas
from app.services import users

Action = Callable[[argparse.Namespace], list[dict[str, Any]]]


def main(arguments: list[str]) -> int:
    """0: done; 1: refused, in one line on standard error; 2: wrong usage."""
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as end:  # argparse has said why
        return int(end.code or 0)
    engine, _ = boot(config.load())
    try:
        db.check(engine)
        if migrate.current_revision(engine) != migrate.newest_revision():
            raise ConfigError("the database is not at the newest migration: python3 run.py migrate")
        shown = options.action(options)
        db.settle(200)
    except (AppError, EOFError, UnicodeError) as refusal:
        session.rollback()
        print(f"accepted: {_sentence(refusal)}", file=sys.stderr)
        return 1
    finally:
        session.remove()
        engine.dispose()
    _show(shown, options)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="run.py user", description="Accounts, from the command line.")
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, action: Action, text: str, *, email: bool = True) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(action=action, name=name)
        made.add_argument("--json", action="store_true", help="print JSON")
        if email:
            made.add_argument("email", help="the account's e-mail address")
        return made

    password = "the password is asked for, or read from the first line of standard input"  # noqa: S105  # no secret
    command("add", add, f"make an account; {password}").add_argument("--role", choices=ROLES, default="user")
    command("list", listed, "show the accounts", email=False).add_argument("--role", choices=ROLES, help="only these")
    command("role", role, "give an account a role").add_argument("role", choices=ROLES)
    command("password", password_, f"set a new password, which ends all sessions and tokens; {password}")
    sure = command("delete", delete, "delete an account and everything that is its")
    sure.add_argument("--yes", action="store_true", help="do not ask")
    return parser


def add(options: argparse.Namespace) -> list[dict[str, Any]]:
    return [users.sign_up(**_checked(options.email, _new_password()), role=options.role).to_dict()]


def listed(options: argparse.Namespace) -> list[dict[str, Any]]:
    query = select(User).order_by(User.id)
    found = session.scalars(query.where(User.role == options.role) if options.role else query)
    return [user.to_dict() for user in found]


def role(options: argparse.Namespace) -> list[dict[str, Any]]:
    user = _find(options.email)
    user.role = options.role
    session.flush()
    return [user.to_dict()]


def password_(options: argparse.Namespace) -> list[dict[str, Any]]:
    email = _find(options.email).email
    session.rollback()  # nobody waits for us while somebody types
    new_hash = hash_password(_checked(email, _new_password())["password"])
    user = _find(email)
    users.recover(user, new_hash)
    session.flush()
    return [user.to_dict()]


def delete(options: argparse.Namespace) -> list[dict[str, Any]]:
    user = _find(options.email)
    shown = user.to_dict()
    if not options.yes:
        session.rollback()
        _make_sure(shown["email"])
        user = _find(shown["email"])
    users.delete(user)
    return [shown]


def _find(email: str) -> User:
    user = User.find_by_email(email, lock=True)
    if user is None:
        raise NotFound(f"there is no account with the e-mail address {email!r}")
    return user


def _new_password() -> str:
    """Twice from a terminal, once from a pipe."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        raise ValidationFailed("the two passwords differ")
    return password


def _make_sure(email: str) -> None:
    if not sys.stdin.isatty():
        raise ValidationFailed("nobody is there to ask: say --yes")
    if input(f"Type {email} to delete this account and everything that is its: ").strip() != email:
        raise ValidationFailed("nothing was deleted")


def _checked(email: str, password: str) -> dict[str, str]:
    """What the API would take."""
    return dict(schemas.sign_up.check({"email": email, "password": password}))


def _sentence(refusal: Exception) -> str:
    """One line, whatever was wrong."""
    if not isinstance(refusal, AppError):
        return "the input ended too early" if isinstance(refusal, EOFError) else "the input is no text in UTF-8"
    errors = refusal.extras.get("errors", [])
    return "; ".join(f"{error['pointer'].removeprefix('#/')} {error['detail']}" for error in errors) or refusal.detail


def _show(accounts: list[dict[str, Any]], options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(accounts if options.name == "list" else accounts[0], ensure_ascii=False, indent=2))
        return
    words = {"add": "made", "delete": "deleted", "role": "changed", "password": "changed"}
    for account in accounts:
        line = f"{account['id']:>6}  {account['role']:<8}  {account['email']}"
        print(line if options.name == "list" else f"{line}  {words[options.name]}")
