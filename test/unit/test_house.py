"""The rules of the house: who imports whom, who commits, what is open; and that names and settings fit."""

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from app.config import ROOT, Settings

LAYERS = [
    {"errors", "env", "config", "db", "migrate"},
    {"models"},
    {"helpers"},
    {"queue"},
    {"services", "schemas"},
    {"controllers", "workers"},
]
TOP = {"__init__", "factory", "boot", "wsgi", "commands"}  # these put the rest together
FLASK_HELPERS = {
    "auth",
    "bodies",
    "cors",
    "downloads",
    "html",
    "idempotency",
    "limits",
    "openapi",
    "openapi_components",
    "operator",
    "pages",
    "problems",
    "responses",
    "uploads",
    "waiting",
    "web_monitoring",
}
FILES = sorted((ROOT / "app").rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION = 250, 40


def room(path: Path) -> str:
    return path.relative_to(ROOT / "app").parts[0].removesuffix(".py")


def layer(name: str) -> int:
    return next((number for number, names in enumerate(LAYERS) if name in names), len(LAYERS))


def imports(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            yield from ([f"app.{alias.name}" for alias in node.names] if module == "app" else [module])


def test_every_room_has_its_layer():
    known = set.union(TOP, *LAYERS)
    assert {room(path) for path in FILES} <= known


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_downwards(path):
    here = room(path)
    for name in imports(path):
        if not name.startswith("app."):
            continue
        there = name.split(".")[1]
        if there == here or here in TOP:
            continue
        # The layer of the smallest things has no order of its own.
        assert layer(there) < layer(here) or layer(here) == layer(there) == 0, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_flask_stays_at_the_door(path):
    allowed = here_is_http(path)
    assert allowed or not [name for name in imports(path) if name.split(".")[0] == "flask"]


def here_is_http(path: Path) -> bool:
    return room(path) in ("controllers", "factory", "__init__") or (
        room(path) == "helpers" and path.stem in FLASK_HELPERS
    )


def test_only_db_and_queue_commit():
    for path in FILES:
        if room(path) not in ("db", "queue"):
            assert ".commit()" not in path.read_text(), path


def test_files_and_functions_stay_small():
    for path in [*FILES, ROOT / "run.py", ROOT / "seed.py"]:
        text = path.read_text()
        assert text.count("\n") <= LONGEST_FILE, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, f"{path}: {node.name}"


def test_every_module_says_what_it_is_for():
    for path in FILES:
        assert ast.get_docstring(ast.parse(path.read_text())), path


def test_every_job_has_the_name_of_its_file_and_function():
    from app import workers
    from app.queue import registry

    assert workers
    ours = [registry.find(name) for name in registry.names()]
    ours = [kind for kind in ours if kind.function.__module__.startswith("app.")]
    assert ours
    for kind in ours:
        module, _, function = kind.name.partition(".")
        assert kind.function is vars(sys.modules[f"app.workers.{module}"])[function]
        assert inspect.getdoc(kind.function), f"{kind.name} has no docstring"


def test_every_enqueue_names_a_job_that_exists():
    from app.queue import registry
    from app.workers import schedule  # noqa: F401  # registers all of them

    for path in FILES:
        for name in re.findall(r'enqueue\(\s*"([^"]+)"', path.read_text()):
            assert registry.find(name), path


def test_every_setting_is_documented_with_its_default():
    written = dict(re.findall(r"^#?\s?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    read = {field.name.upper(): field.metadata["default"] for field in fields(Settings)}
    parts = {"DB_TYPE", "DB_USER", "DB_PASSWORD", "DB_HOST", "DB_PORT", "DB_NAME"}
    assert set(written) == {*read, *parts, "REDIS_SERVER_BIN"}
    for name, default in read.items():
        if default is not None and not callable(default) and not isinstance(default, Path):
            assert written[name].strip() == (str(default).lower() if isinstance(default, bool) else str(default)), name
