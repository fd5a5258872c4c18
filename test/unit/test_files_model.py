"""What a row of files is asked for by, and which names and types a change may give it."""

from collections.abc import Callable
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from sqlalchemy.dialects import postgresql

from app.errors import NotFound, ValidationFailed
from app.models import File, base
from app.models import file as model
from app.schemas import files as schemas

ALICE = SimpleNamespace(id=7)


@pytest.fixture
def asked(monkeypatch) -> Callable[[], str]:
    """The one statement that reached the database, which answers with "a row"."""
    session = Mock(**{"scalars.return_value.one_or_none.return_value": "a row", "scalar.return_value": None})
    for module in (model, base):
        monkeypatch.setattr(module, "session", session)

    def statement() -> str:
        [call] = session.scalars.call_args_list + session.scalar.call_args_list
        compiled = call.args[0].compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
        return " ".join(str(compiled).partition("FROM")[2].split())

    statement.session = session
    return statement


@pytest.mark.parametrize(("digits", "column"), [(32, "md5"), (40, "sha1"), (64, "sha256")])
def test_hash_is_known_by_its_length_in_whatever_case(asked, digits, column):
    assert File.find_for(ALICE, "AB" * (digits // 2)) == "a row"
    wanted = f"files.{column} = '{'ab' * (digits // 2)}' AND files.user_id = 7"
    assert asked() == f"files WHERE {wanted} ORDER BY files.id LIMIT 1"


def test_row_that_is_to_be_changed_is_locked(asked):
    File.find_for(ALICE, "a" * 32, lock=True)
    assert asked().endswith("FOR UPDATE")


@pytest.mark.parametrize("id_", [5, "5"])
def test_what_is_no_hash_may_be_the_number_of_a_jobs_target(asked, id_):
    File.find_for(ALICE, id_)
    assert asked() == "files WHERE files.id = 5 AND files.user_id = 7"


@pytest.mark.parametrize("id_", ["x", "g" * 64, "٣", "1" * 20, "", "../etc", "0"])
def test_what_is_neither_never_reaches_the_database(asked, id_):
    with pytest.raises(NotFound):
        File.find_for(ALICE, id_)
    assert asked.session.mock_calls == []


def test_unknown_hash_is_not_found(asked):
    asked.session.scalars.return_value.one_or_none.return_value = None
    with pytest.raises(NotFound):
        File.find_for(ALICE, "a" * 64)


def test_same_content_is_looked_for_among_the_owners_files_alone(asked):
    assert File.find_same(ALICE, "ab") == "a row"
    assert asked() == "files WHERE files.user_id = 7 AND files.sha256 = 'ab'"


def test_key_finds_its_file_whoever_asks(asked):
    assert File.find_by_key("k") == "a row"
    assert asked() == "files WHERE files.key = 'k'"


@pytest.mark.parametrize(("found", "size"), [(None, 0), (5, 5)])
def test_account_without_files_holds_nothing(asked, found, size):
    asked.session.scalar.return_value = found
    assert File.bytes_of(7) == size
    assert asked() == "files WHERE files.user_id = 7"


@pytest.mark.parametrize("name", ["a", " a ", ".", "蜡烛 🕯️.png", 'a;b="c"', "x" * 255])
def test_name_may_be_anything_that_a_person_can_read(name):
    assert schemas.update.check({"name": name})


@pytest.mark.parametrize("name", ["", " ", "a/b", "a\\b", "a\nb", "a\0", "x" * 256, 5, None])
def test_name_is_no_path_and_no_blank(name):
    with pytest.raises(ValidationFailed):
        schemas.update.check({"name": name})


@pytest.mark.parametrize("kind", ["text", "text/", "text/csv; charset=utf-8", "Text/CSV", "a b/c", "x" * 128, ""])
def test_type_is_a_bare_media_type(kind):
    assert schemas.update.check({"type": "image/svg+xml"})
    with pytest.raises(ValidationFailed):
        schemas.update.check({"type": kind})


def test_old_clients_get_403_for_what_does_not_fit():
    with pytest.raises(ValidationFailed) as refusal:
        schemas.v0_replace.check({"file_name": "a"})
    assert refusal.value.status == 403
