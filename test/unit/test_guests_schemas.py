"""Which names and places people may have: those of any language, on one line."""

import json
import unicodedata
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ValidationFailed
from app.schemas import events, guests

ENDINGS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"


def is_taken(schema, **fields) -> bool:
    try:
        return bool(schema.check(fields))
    except ValidationFailed:
        return False


@pytest.mark.parametrize(
    "name", ["", "Ana", "O'Neil, Björn", "蜡烛 🕯️", "محمد", "न\u200dम", " a ", "x" * 200, '"<a@b.c>"']
)
def test_name_may_be_of_any_language(name):
    assert is_taken(guests.update, name=name)


@given(st.text(max_size=8) | st.text("ab" + ENDINGS, max_size=4))
def test_line_is_taken_unless_something_in_it_steers_or_ends_it(text):
    steers = any(unicodedata.category(char) in ("Cc", "Zl", "Zp") for char in text)
    assert is_taken(guests.update, name=text) == is_taken(events.update, place=text) == (not steers)
    filled = bool(text.strip()) and not steers
    assert is_taken(guests.update, role=text) == is_taken(events.update, name=text) == filled


@given(st.text(max_size=60))
def test_whatever_name_is_taken_may_stand_in_the_header_of_a_mail(name):
    if not is_taken(guests.update, name=name) or not name:
        return
    message = EmailMessage()
    message["To"] = Address(name, addr_spec="ana@example.com")
    message.set_content("x")
    parsed = message_from_bytes(message.as_bytes(policy=SMTP), policy=SMTP)
    assert parsed["To"].addresses[0].addr_spec == "ana@example.com"
    assert parsed.keys() == message.keys()


@pytest.mark.parametrize("ending", ENDINGS)
def test_refusal_says_what_is_wrong(ending):
    with pytest.raises(ValidationFailed) as refusal:
        guests.create.check({"email": "ana@example.com", "name": f"Ana{ending}", "role": " "})
    assert refusal.value.extras["errors"] == [
        {"detail": "must be one line, without control characters", "pointer": "#/name"},
        {"detail": "must be one line, not blank, without control characters", "pointer": "#/role"},
    ]


def test_status_is_no_part_of_a_new_guest_and_nobody_is_invited_by_hand():
    assert not is_taken(guests.create, email="ana@example.com", status="accepted")
    for status in ("added", "accepted", "declined"):
        assert is_taken(guests.update, status=status)
    for status in ("invited", "", None, 5):
        assert not is_taken(guests.update, status=status)


def test_schemas_are_json():
    for schema in (guests.create, guests.update, events.create, events.shown):
        assert json.loads(json.dumps(schema.schema)) == schema.schema
