"""Texts with fields: what is a field, what is a fault, and that values are never read as anything but text."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.helpers.templates import FIELDS, faults, names, render

BLANK = dict.fromkeys(FIELDS, "")
any_text = st.text(st.characters(exclude_categories=["Cs"]))
pieces = st.lists(
    st.sampled_from(["{", "}", "{{", "}}", "|", '"', "default:", " ", "\t", "\n", "x", *FIELDS, "guest.phone"]),
    max_size=30,
).map("".join)
gaps = st.text(" \t", max_size=3)
defaults = any_text.filter(lambda text: not set('"{}\n') & set(text))


@st.composite
def fields(draw) -> tuple[str, str, str]:
    """A well-formed field: its text, its name, its default."""
    name, default = draw(st.sampled_from(FIELDS)), draw(st.none() | defaults)
    end = "" if default is None else f'|{draw(gaps)}default:{draw(gaps)}"{default}"{draw(gaps)}'
    return "{{" + draw(gaps) + name + draw(gaps) + end + "}}", name, default or ""


plain = any_text.map(lambda text: text.replace("{", "").replace("}", ""))


@given(st.lists(st.tuples(plain, fields())), plain, st.dictionaries(st.sampled_from(FIELDS), any_text | pieces))
def test_each_field_becomes_its_value_or_its_default_and_the_rest_stays(parts, end, given_values):
    values = BLANK | given_values
    text = "".join(before + field for before, (field, _, _) in parts) + end
    assert faults(text) == []
    assert names(text) == {name for _, (_, name, _) in parts}
    expected = "".join(before + (values[name] or default) for before, (_, name, default) in parts) + end
    assert render(text, values) == expected


@given(pieces | any_text)
@example("{{{ guest.name }}}")
@example("{{ guest.name }")
def test_text_without_faults_renders_and_leaves_no_braces(text):
    if not faults(text):
        assert names(text) <= set(FIELDS)
        rendered = render(text, BLANK)
        assert "{{" not in rendered
        assert "}}" not in rendered


@given(pieces | any_text)
def test_text_without_two_braces_is_itself(text):
    text = text.replace("{{", "{ {").replace("}}", "} }").replace("{{", "{").replace("}}", "}")
    assert faults(text) == []
    assert render(text, {}) == text


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{{ guest.phone }}", "there is no field guest.phone; these are: guest.name, "),
        ("{{ Guest.Name }}", "there is no field Guest.Name"),
        ("{{ guest.name", "two braces are there for fields alone"),
        ("guest.name }}", "two braces are there for fields alone"),
        ("{{}}", "two braces are there for fields alone"),
        ("{{ guest.name\n}}", "two braces are there for fields alone"),
        ("{{ guest name }}", "two braces are there for fields alone"),
        ("{{ guest.name | upper }}", "two braces are there for fields alone"),
        ("{{ guest.name | default: x }}", "two braces are there for fields alone"),
        ('{{ guest.name | default: "a" | default: "b" }}', "two braces are there for fields alone"),
        ("{{ guest.__class__ }}", "there is no field guest.__class__"),
        ("{% if x %}{{ 7*7 }}", "two braces are there for fields alone"),
    ],
)
def test_fault_is_told_in_a_sentence(text, fault):
    (told,) = faults(text)
    assert told.startswith(fault)


def test_all_faults_are_told_in_order():
    told = faults("{{ b }} {{ a }} {{ b }} }}")
    assert [fault.split(";")[0] for fault in told[:2]] == ["there is no field a", "there is no field b"]
    assert len(told) == 3


@pytest.mark.parametrize("value", ["{{ guest.link }}", "\\1", "\\g<0>", "{0}", "%s", '" }}'])
def test_value_is_only_text(value):
    assert render("<{{ guest.name }}>", BLANK | {"guest.name": value, "guest.link": "secret"}) == f"<{value}>"


def test_default_is_for_who_has_no_value():
    text = 'Dear {{guest.name|default:"friend"}}'
    assert render(text, BLANK) == "Dear friend"
    assert render(text, BLANK | {"guest.name": "Ana"}) == "Dear Ana"
    assert render('<{{ guest.name | default: "" }}>', BLANK) == "<>"


@pytest.mark.parametrize(
    "piece", ["{{", "{{ ", "{{a", "{{ a |", '{{a|default:"', "{", "}", "{{" + " " * 1000, "{{" + "a" * 1000]
)
def test_what_is_nearly_a_field_costs_no_more_than_its_length(piece):
    text = piece * (100_000 // len(piece))
    began = time.process_time()
    assert isinstance(faults(text), list)
    assert time.process_time() - began < 1
