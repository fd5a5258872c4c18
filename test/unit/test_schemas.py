"""The JSON Schemas themselves: the server takes them as they are, so here is where a slip in one is found."""

import importlib
import pkgutil

import pytest
from jsonschema import Draft202012Validator

from app import schemas
from app.helpers.validation import Schema


def all_schemas() -> dict[str, Schema]:
    modules = [importlib.import_module(f"app.schemas.{info.name}") for info in pkgutil.iter_modules(schemas.__path__)]
    found = [(module, *item) for module in modules for item in vars(module).items()]
    return {f"{module.__name__}.{name}": value for module, name, value in found if isinstance(value, Schema)}


@pytest.mark.parametrize("schema", [pytest.param(schema, id=name) for name, schema in all_schemas().items()])
def test_schema_is_one(schema):
    Draft202012Validator.check_schema(schema.schema)
