"""No secret leaves the house, wherever in the data it stands and however deep."""

import json
import string
import time
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeTimedSerializer

from app.helpers.scrub import FILTERED, Scrubber, is_sensitive

NAMES = [
    *("password", "Password", "PASSWD", "passphrase", "secret", "SECRET_KEY", "token", "accessToken"),
    *("authorization", "Cookie", "set-cookie", "api_key", "apiKey", "API-KEY", "x-api-key", "credit_card"),
    *("creditCard", "card_number", "cvv", "private_key", "csrf_token", "session_id"),
]
HOSTILE = ["a", "a-", "://a:", "token", "password ", "eyJ-", "secret='", "aaaa.", "bearer ", "=\\"]
CANARY = "cAnary5ings0fL0ve"
scrubber = Scrubber(["the-server's-own-secret"])

sensitive_keys = st.builds(
    lambda before, name, after: before + name + after,
    st.sampled_from(["", "user_", "X-", "HTTP_", "my "]),
    st.sampled_from(NAMES),
    st.sampled_from(["", "_2", "s", "Hash"]),
)
signed = URLSafeTimedSerializer("key", salt="accepted.token").dumps([1, CANARY])
leaks = st.sampled_from(
    [
        f"Bearer {CANARY}",
        f"sent Authorization: Bearer {CANARY}, got 401",
        f"authorization=basic {CANARY}",
        f"https://bob:{CANARY}@example.com/x",
        f"redis://:{CANARY}@localhost:6379/0",
        f"postgresql+psycopg://u:p/{CANARY}@db/x",
        f"https://{CANARY}@example.com",
        f"GET /reset?token={CANARY}&x=1",
        f"/reset?x=1&reset_token={CANARY}",
        f'{{"password": "a \\" {CANARY}"}}',
        f"{{'api_key': '{CANARY}'}}",
        f"password = {CANARY}",
        f"Cookie: a=1; session={CANARY}; b=2",
        f"secret%3D{CANARY}",
        f"PASSWORD => {CANARY}",
    ]
)
harmless = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
secrets = st.one_of(
    st.dictionaries(sensitive_keys, st.just(CANARY) | st.lists(st.just(CANARY)), min_size=1, max_size=2),
    leaks,
    leaks.map(str.encode),
    leaks.map(ValueError),
    leaks.map(lambda leak: {leak: 1}),
)
nested = st.recursive(
    secrets | harmless,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(string.ascii_letters, max_size=8) | st.integers(), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(nested)
def test_no_canary_survives(data):
    found = json.dumps(scrubber.data({"context": data}))
    assert CANARY not in found


SIGNED_TEXTS = {
    "alone": signed,
    "in a sentence": f"token {signed} is expired",
    "in a path": f"/invitations/{signed}/accept",
}


@pytest.mark.parametrize("text", SIGNED_TEXTS.values(), ids=SIGNED_TEXTS)
def test_signed_token_is_recognised_by_its_looks(text: str):
    assert signed not in scrubber.text(text)
    assert signed.split(".")[-1] not in scrubber.text(text)


def test_own_secrets_are_recognised_anywhere():
    assert scrubber.text("xx the-server's-own-secret yy") == f"xx {FILTERED} yy"


@pytest.mark.parametrize(
    "text",
    [
        "KeyError: 'nope'",
        "see http://127.0.0.1:5000/api/v1/tasks?page_size=50",
        "campaigns.deliver failed after 3 attempts at 2026-11-21T13:30:00.000Z",
        "bob@example.com is no guest of event 7",
        "0199a3b4-1c2d-7e8f-9a0b-1c2d3e4f5a6b",
        "app.queue.runner.TheJobFailedBecauseOfSomething: 7 of 9",
        "",
        "   ",
        "Grüße 🕯️ 蜡烛",
    ],
)
def test_what_is_no_secret_stays(text: str):
    assert scrubber.text(text) == text


def test_copy_is_plain_and_the_original_untouched():
    original = {"at": datetime(2026, 1, 1, tzinfo=UTC), "id": UUID(int=7), "password": "hunter22", "many": (1, {2})}
    copy = scrubber.data(original)
    assert copy == {
        "at": "2026-01-01 00:00:00+00:00",
        "id": "00000000-0000-0000-0000-000000000007",
        "password": FILTERED,
        "many": [1, [2]],
    }
    assert original["password"] == "hunter22"


class Rude:
    def __repr__(self) -> str:
        raise RuntimeError


def test_object_is_named_and_never_asked():
    assert scrubber.data([Rude()]) == ["<Rude>"]


def test_structure_that_holds_itself_comes_to_an_end():
    loop: dict = {}
    loop["again"] = [loop]
    assert len(json.dumps(scrubber.data(loop))) < 1000


def test_long_text_is_cut_and_no_half_secret_left():
    text = "word " * 1590 + f"password={CANARY * 100}"
    cut = scrubber.text(text)
    assert len(cut) < 8_100
    assert CANARY[:6] not in cut


@pytest.mark.parametrize(
    "bit", ["a", "a-", "://a:", "token", "password ", "eyJ-", "secret='", "aaaa.", "bearer ", "=\\"]
)
def test_hostile_text_costs_milliseconds(bit: str):
    start = time.thread_time()
    scrubber.text(bit * (7_900 // len(bit)))
    assert time.thread_time() - start < 0.5


@pytest.mark.parametrize(("key", "sensitive"), [("Api-Key", True), ("user_password", True), ("author", False)])
def test_names_are_compared_without_regard_to_case(key: str, sensitive: bool):
    assert is_sensitive(key) is sensitive
