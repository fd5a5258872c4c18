"""Signed links: each opens what it was made for, for good or until its end, and nothing else does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from app import config
from app.helpers import links, logs, scrub
from app.models import User
from app.models.guest import new_link_key

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
numbers = st.integers(1, 2**63 - 1)
emails = st.text(min_size=1, max_size=254).map(User.key_of)
with_settings = profile(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def token_of(url: str) -> str:
    return url.rpartition("/")[2]


@pytest.fixture
def tokens(settings) -> dict[str, str]:
    """One of each kind."""
    return {
        "file": links.sign("0" * 32, datetime.max.replace(tzinfo=UTC)),
        "invitation": token_of(links.invitation_url(new_link_key())),
        "unsubscribe": token_of(links.unsubscribe_url(7, "grace@example.com")),
    }


READERS = {"file": links.read, "invitation": links.read_invitation, "unsubscribe": links.read_unsubscribe}


@with_settings
@given(st.text(ALPHABET, min_size=1, max_size=32))
def test_invitation_leads_to_its_guest(settings, key):
    url = links.invitation_url(key)
    assert url.startswith(f"{settings.public_url}/invitations/aci_")
    assert links.read_invitation(token_of(url)) == key


@with_settings
@given(numbers, emails)
def test_way_out_names_the_account_and_the_address(settings, user_id, email_key):
    url = links.unsubscribe_url(user_id, email_key)
    assert url.startswith(f"{settings.public_url}/unsubscribe/acu_")
    assert links.read_unsubscribe(token_of(url)) == (user_id, email_key)


@with_settings
@given(numbers, emails)
def test_link_needs_no_quoting_and_no_line_break(settings, user_id, email_key):
    for token in (links.unsubscribe_url(user_id, email_key), links.invitation_url(new_link_key())):
        assert set(token_of(token)) <= {*ALPHABET, "."}


@pytest.mark.parametrize("late", [False, True])
def test_link_to_a_file_ends(settings, monkeypatch, late):
    token = links.sign("0" * 32, NOON)
    monkeypatch.setattr(links, "now", lambda: NOON if late else NOON - timedelta(seconds=1))
    assert links.read(token) == (None if late else "0" * 32)


@pytest.mark.parametrize("kind", READERS)
def test_one_kind_opens_nothing_of_another(tokens, kind):
    for other, token in tokens.items():
        assert (READERS[kind](token) is not None) is (kind == other)
        mark = tokens[kind][:4]
        assert (READERS[kind](mark + token[4:]) is not None) is (kind == other)  # under the other's mark, too


@pytest.mark.parametrize("kind", READERS)
def test_link_with_any_character_changed_opens_nothing(tokens, kind):
    token = tokens[kind]
    for place in range(len(token) - 1):  # of the last one, some bits mean nothing
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert READERS[kind](changed) is None, place
        assert READERS[kind](token[:place]) is None


@with_settings
@given(st.sampled_from(["", "acl_", "aci_", "acu_"]), st.text(max_size=80))
def test_whatever_somebody_makes_up_opens_nothing(settings, mark, text):
    for read in READERS.values():
        assert read(mark + text) is None


@pytest.mark.parametrize("kind", READERS)
def test_another_servers_link_opens_nothing(settings, tokens, kind):
    config.use(replace(settings, secret_key="another secret, long enough"))
    assert READERS[kind](tokens[kind]) is None


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize(
    "line",
    ["GET /invitations/{} HTTP/1.1", "http://x/unsubscribe/{}?a=1", "<{}>", "token='{}'", "({})", "{}", "{}/more"],
)
def test_link_is_blanked_in_logs_and_alerts(tokens, kind, line):
    payload, _, signature = tokens[kind][4:].rpartition(".")
    for shown in (
        logs.SECRET.sub(r"\1***", line.format(tokens[kind])),
        scrub.Scrubber().text(line.format(tokens[kind])),
    ):
        assert payload not in shown
        assert signature not in shown


def test_every_guest_has_a_link_of_their_own():
    assert len({new_link_key() for _ in range(100)}) == 100
