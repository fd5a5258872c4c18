"""The messages that guests read: what is in them, from whom, and how to get no more."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from app.helpers import links, templates
from app.helpers.mailer import Attached, compose
from app.models import Campaign, Event, Guest, Recipient
from app.services import messages

words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60)


@pytest.fixture
def event() -> Event:
    return Event(name="The party", place="The old mill", starts_at=datetime(2026, 12, 24, 18, tzinfo=UTC))


@pytest.fixture
def guest(event) -> Guest:
    return Guest(name="Grace", email="Grace@Example.com", role="vip", link_key="grace's", event=event)


@pytest.fixture
def recipient() -> Recipient:
    return Recipient(id=9, email="Grace@Example.com", email_key="grace@example.com")


def campaign(**fields: str) -> Campaign:
    return Campaign(**{"id": 3, "user_id": 7, "subject": "News", "body": "Hello"} | fields)


def link_after(text: str, word: str) -> str:
    """The token at the end of the link that stands in the text after this word."""
    return text.partition(word)[2].split()[0].rpartition("/")[2]


def test_invitation_says_what_when_where_and_has_the_guests_link(settings, guest):
    mail = messages.invitation(guest, "invitation-5")
    assert (mail.to, mail.name, mail.key) == ("Grace@Example.com", "Grace", "invitation-5")
    assert mail.subject == "Invitation: The party"
    assert "Dear Grace,\n" in mail.text
    assert "When:  Thursday, 24 December 2026, 18:00 UTC\n" in mail.text
    assert "Where: The old mill\n" in mail.text
    assert links.read_invitation(link_after(mail.text, "begins:")) == "grace's"


def test_invitation_does_without_what_is_not_known(settings, guest):
    guest.name, guest.event.place, guest.event.starts_at = "", None, None
    text = messages.invitation(guest, "x").text
    assert "Dear guest,\n" in text
    assert text.count("to be announced") == 2


def test_message_has_every_field(settings, event, guest, recipient):
    body = "|".join("{{ " + name + " }}" for name in templates.FIELDS)
    mail = messages.message(
        campaign(subject="{{ event.name }} for {{ guest.name }}", body=body), event, guest, recipient
    )
    *values, stop = mail.text.split("|")
    assert (mail.subject, mail.to, mail.name) == ("The party for Grace", "Grace@Example.com", "Grace")
    when = "Thursday, 24 December 2026, 18:00 UTC"
    assert values[:3] + values[4:] == ["Grace", "Grace@Example.com", "vip", "The party", "The old mill", when]
    assert links.read_invitation(values[3].rpartition("/")[2]) == "grace's"
    assert links.read_unsubscribe(stop.rpartition("/")[2]) == (7, "grace@example.com")


def test_message_always_tells_how_to_get_no_more(settings, event, guest, recipient):
    mail = messages.message(campaign(), event, guest, recipient)
    assert mail.text.startswith("Hello\n\n-- \nNo more messages like this: http")
    assert links.read_unsubscribe(link_after(mail.text, "this:")) == (7, "grace@example.com")
    headers = dict(mail.headers)
    assert links.read_unsubscribe(headers["List-Unsubscribe"].strip("<>").rpartition("/")[2]) == (
        7,
        "grace@example.com",
    )
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_message_that_has_the_link_gets_no_second_one(settings, event, guest, recipient):
    mail = messages.message(campaign(body="Stop: {{unsubscribe.link}}"), event, guest, recipient)
    assert mail.text.count("/unsubscribe/") == 1
    assert "No more messages" not in mail.text


def test_repeat_has_the_same_key_and_another_message_another(settings, event, guest, recipient):
    first, again = (messages.message(campaign(), event, guest, recipient).key for _ in range(2))
    other = messages.message(campaign(), event, guest, Recipient(id=10, email="x@example.com", email_key="x")).key
    assert first == again == "campaign-3-9"
    assert other == "campaign-3-10"


def test_attachment_goes_along(settings, event, guest, recipient):
    attached = Attached("plan.pdf", "application/pdf", b"%PDF")
    mail = messages.message(campaign(), event, guest, recipient, attached)
    (part,) = compose(mail).iter_attachments()
    assert (part.get_filename(), part.get_content()) == ("plan.pdf", b"%PDF")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, False),
        ({"body": "guest.link"}, False),
        ({"body": "Come: {{ guest.link }}"}, True),
        ({"subject": '{{guest.link | default: "x"}}'}, True),
        ({"subject": messages.INVITATION_SUBJECT, "body": messages.INVITATION_BODY}, True),
    ],
)
def test_message_with_the_guests_link_invites(fields, expected):
    assert messages.invites(campaign(**fields)) is expected


def test_our_own_texts_are_good_templates():
    for text in (messages.INVITATION_SUBJECT, messages.INVITATION_BODY, messages.UNSUBSCRIBE):
        assert templates.faults(text) == []


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (None, ""),
        (datetime(2026, 11, 1, 9, 5, tzinfo=UTC), "Sunday, 1 November 2026, 09:05 UTC"),
    ],
)
def test_moments_are_written_for_people(moment, text):
    assert messages.readable(moment) == text


@given(name=words, place=words, subject=words, body=words)
@hypothesis(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_people_are_called_the_mail_can_be_sent(settings, name, place, subject, body):
    """Names, places and texts of any language, with braces, quotes, commas and brackets in them."""
    event = Event(name=name, place=place, starts_at=datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2))))
    guest = Guest(name=name, email="grace@example.com", role=name, link_key="x")
    recipient = Recipient(id=1, email="grace@example.com", email_key="grace@example.com")
    text = subject.replace("{{", "").replace("}}", "") + "{{ guest.name }}"
    mail = messages.message(campaign(subject=text, body=body), event, guest, recipient)
    assert mail.subject.endswith(name)
    sent = compose(mail)
    assert sent.as_bytes()
    assert [address.addr_spec for address in sent["To"].addresses] == ["grace@example.com"]
