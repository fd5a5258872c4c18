"""The migrations go up, down and up again on both databases, and end at what the models say."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from app import db, env, migrate
from app.models import Base


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request, tmp_path):
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/empty.db"
    else:
        url = request.getfixturevalue("postgres_server").create_database()
    engine = db.connect(env.DATABASE_URL.parse(url))
    yield engine
    engine.dispose()


def test_newest_by_file_name_is_newest_to_alembic():
    assert migrate.newest_revision() == ScriptDirectory.from_config(migrate.alembic_config()).get_current_head()


def test_up_down_up(engine):
    migrate.upgrade(engine)
    tables = set(inspect(engine).get_table_names())
    assert tables == {"alembic_version", *Base.metadata.tables}
    migrate.downgrade(engine, "base")
    assert set(inspect(engine).get_table_names()) == {"alembic_version"}
    migrate.upgrade(engine)
    assert set(inspect(engine).get_table_names()) == tables
    assert migrate.current_revision(engine) == migrate.newest_revision()


def test_migrated_database_is_what_the_models_say(engine):
    migrate.upgrade(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_every_constraint_has_a_name(engine):
    migrate.upgrade(engine)
    found = inspect(engine)
    for table in Base.metadata.tables:
        constraints = [found.get_pk_constraint(table), *found.get_foreign_keys(table)]
        constraints += [*found.get_unique_constraints(table), *found.get_check_constraints(table)]
        assert all(constraint["name"] for constraint in constraints), table
