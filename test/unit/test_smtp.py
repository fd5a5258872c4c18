"""What an SMTP server's answer, or its silence, means at each step; without a server."""

import smtplib
from email import message_from_bytes
from email.policy import default
from unittest.mock import Mock, create_autospec

import pytest

from app.errors import AppError
from app.helpers import mailer, smtp
from app.helpers.mailer import Away, Mail, Refused, Unsure
from app.helpers.smtp import SmtpOutlet
from app.queue import job, registry

MAIL = Mail("bob@example.com", "Hello", "Dear Bob", "key-1")
GOOD = (250, b"OK")
LOST = smtplib.SMTPServerDisconnected("Connection unexpectedly closed")


@pytest.fixture
def server(settings, monkeypatch) -> Mock:
    """smtplib's client, to which all goes well."""
    mock = create_autospec(smtplib.SMTP, instance=True)
    mock.mail.return_value = mock.rcpt.return_value = mock.getreply.return_value = mock.rset.return_value = GOOD
    mock.docmd.return_value = (354, b"go on")
    mock.has_extn.return_value = False
    monkeypatch.setattr(smtp.smtplib, "SMTP", Mock(return_value=mock))
    return mock


def outcome_of(server: Mock, step: str, answer: object) -> Exception | None:
    getattr(server, step).configure_mock(**{"side_effect" if isinstance(answer, Exception) else "return_value": answer})
    try:
        SmtpOutlet("smtp://mail.example.com").hand_over(MAIL)
    except (Refused, Away, Unsure) as error:
        return error
    return None


BEFORE = ("mail", "rcpt", "docmd")


@pytest.mark.parametrize("step", [*BEFORE, "getreply"])
@pytest.mark.parametrize(
    ("code", "kind", "is_final"),
    [(421, Away, None), (450, Refused, False), (451, Refused, False), (550, Refused, True), (530, Away, None)],
)
def test_answers(server, step, code, kind, is_final):
    error = outcome_of(server, step, (code, b"some\nwords"))
    assert type(error) is kind
    assert getattr(error, "is_final", None) is is_final
    assert f"{code} some words" in str(error)
    assert server.close.called is (kind is Away)


@pytest.mark.parametrize("step", [*BEFORE, "send"])
@pytest.mark.parametrize("error", [LOST, TimeoutError("timed out"), ConnectionResetError(104, "reset")])
def test_what_breaks_before_the_end_of_the_mail_was_not_sent(server, step, error):
    assert type(outcome_of(server, step, error)) is Away
    server.close.assert_called()


@pytest.mark.parametrize("error", [LOST, TimeoutError("timed out"), smtplib.SMTPResponseException(500, "too long")])
def test_what_breaks_after_it_may_have_been_taken(server, error):
    assert type(outcome_of(server, "getreply", error)) is Unsure
    server.close.assert_called()


@pytest.mark.parametrize("code", [-1, 0, 354, 600])
def test_answer_that_is_none_leaves_it_open(server, code):
    assert type(outcome_of(server, "getreply", (code, b""))) is Unsure


@pytest.mark.parametrize("code", [250, 251])
def test_any_consent_will_do(server, code):
    assert outcome_of(server, "getreply", (code, b"")) is None


def test_lines_that_begin_with_a_dot_get_another_and_one_dot_is_the_end(server):
    SmtpOutlet("smtp://mail.example.com").hand_over(Mail("b@example.com", "x", ".\n..a\nb.", "k"))
    (sent,) = [call.args[0] for call in server.send.call_args_list]
    assert sent.endswith(b"\r\n\r\n..\r\n...a\r\nb.\r\n.\r\n")


@pytest.mark.parametrize("is_final", [True, False])
def test_refusal_for_good_is_the_end_of_a_job_and_one_for_now_is_not(is_final):
    @job()
    def mail_something() -> None: ...

    error = Refused("550 no such user", is_final)
    assert registry.find("test_smtp.mail_something").is_hopeless(error) is is_final
    assert isinstance(error, AppError)
    assert error.to_problem("")["status"] == (422 if is_final else 503)


@pytest.mark.parametrize("kind", [Away, Unsure])
def test_what_passes_is_tried_again(kind):
    @job()
    def mail_something() -> None: ...

    assert not registry.find("test_smtp.mail_something").is_hopeless(kind("x"))
    assert kind("x" * 1000).detail == "x" * mailer.LONGEST_REASON


def test_outlet_is_closed_once(server):
    outlet = SmtpOutlet("smtp://mail.example.com")
    outlet.close()
    outlet.hand_over(MAIL)
    outlet.close()
    outlet.close()
    server.putcmd.assert_called_once_with("quit")
    server.close.assert_called_once_with()


def test_failed_goodbye_is_no_failure(server):
    server.putcmd.side_effect = LOST
    with SmtpOutlet("smtp://mail.example.com") as outlet:
        outlet.hand_over(MAIL)
    server.close.assert_called_once_with()


def test_named_sender_and_message_id(settings):
    message = mailer.compose(Mail("b@example.com", "two\nlines", "x", "k-1", name="Bob, the"))
    assert (message["From"], message["To"]) == ("Accepted <accepted@localhost>", '"Bob, the" <b@example.com>')
    assert (message["Subject"], message["Message-ID"]) == ("two lines", "<k-1@localhost>")


LINK = f"http://127.0.0.1:5000/unsubscribe/acu_{'x' * 120}.{'y' * 27}"


def test_link_in_a_header_is_never_broken_or_encoded(settings):
    """Mail programs look for it as it is (RFC 8058)."""
    mail = Mail("b@example.com", "s", "x", "k-1", headers=(("List-Unsubscribe", f"<{LINK}>"),))
    assert f"List-Unsubscribe: <{LINK}>\r\n".encode() in mailer.write(mail, utf8=False)


@pytest.mark.parametrize("word", ["party", "夏祭り"])
@pytest.mark.parametrize("is_8bit", [True, False])
def test_body_is_what_was_written(settings, word, is_8bit):
    text = f"{word}:\n\n    {LINK}\n"
    data = mailer.write(Mail("b@example.com", word, text, "k-1"), utf8=False, is_8bit=is_8bit)
    assert message_from_bytes(data, policy=default).get_content().replace("\r\n", "\n") == text
    assert is_8bit or data.isascii()
    assert not (is_8bit or word.isascii()) or LINK.encode() in data  # to be clicked, or copied out of a file


def test_headers_are_folded_as_usual(settings):
    mail = Mail("b@example.com", "夏祭り" * 60, "x", "k-1", name="Bob " * 40)
    head = mailer.write(mail, utf8=False).partition(b"\r\n\r\n")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 78
