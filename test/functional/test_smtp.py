"""Handing mails over to a real mail server, on a socket, that fails at each step in each way."""

import smtplib
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from post_office import DROP, PostOffice

from app import config
from app.helpers import mailer, smtp
from app.helpers.mailer import Attached, Away, Mail, Refused, Unsure
from app.helpers.smtp import SmtpOutlet

MAIL = Mail("bob@example.com", "Hello", "Dear Bob,\n.\n..\nyours\n", "key-1")


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env = {"APP_ENV": "test", "DATA_DIR": str(tmp_path), "MAIL_FROM": "The house <house@example.org>"}
    monkeypatch.setattr(config, "_in_force", [config.load(env)])


@pytest.fixture
def office() -> Iterator[PostOffice]:
    with PostOffice() as running:
        yield running


@pytest.fixture
def outlet(office: PostOffice) -> Iterator[SmtpOutlet]:
    with SmtpOutlet(office.url) as opened:
        yield opened


def test_mail_arrives_as_it_was(office, outlet):
    data = bytes(range(256)) * 10
    outlet.hand_over(
        Mail(
            "bob@example.com",
            "Grüße",
            MAIL.text,
            "k",
            "Bob, Ümläut",
            (("X-A", "b"),),
            Attached("ä.bin", "application/x-thing", data),
        )
    )
    (taken,) = office.taken
    assert (taken.sender, taken.to) == ("house@example.org", "bob@example.com")
    message = taken.message
    assert (message["Subject"], message["X-A"], message["Message-ID"]) == ("Grüße", "b", "<k@example.org>")
    assert message["To"].addresses[0].display_name == "Bob, Ümläut"
    text, attached = message.iter_parts()
    assert text.get_content().replace("\r\n", "\n") == MAIL.text
    assert (attached.get_content(), attached.get_filename()) == (data, "ä.bin")
    assert attached.get_content_type() == "application/x-thing"


def test_mail_is_ascii_for_a_server_that_knows_no_more(office, outlet):
    office.extensions = []
    outlet.hand_over(Mail("bob@example.com", "Grüße", "Grüße, жук\n", "k", "Ümläut"))
    (taken,) = office.taken
    assert taken.data.isascii()
    assert (taken.message["Subject"], taken.message.get_content()) == ("Grüße", "Grüße, жук\n")


def test_connection_is_kept_and_begins_anew_for_each_mail(office, outlet):
    for _ in range(3):
        outlet.hand_over(MAIL)
    assert len(office.taken) == 3
    assert office.connections == 1
    assert office.steps.count("RSET") == 2


def test_server_is_told_how_large_the_mail_is(office, outlet):
    outlet.hand_over(MAIL)
    (command,) = [command for command in office.commands if command.startswith("mail")]
    assert command.endswith(f"SIZE={len(office.taken[0].data)} BODY=8BITMIME")


FOR_NOW, FOR_GOOD, CLOSING = "450 later", "550 never", "421 closing"


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "end"])
@pytest.mark.parametrize(("answer", "is_final"), [(FOR_NOW, False), (FOR_GOOD, True)])
def test_refusal_is_of_this_mail_alone(office, outlet, step, answer, is_final):
    office.script[step] = [answer]
    with pytest.raises(Refused) as refused:
        outlet.hand_over(MAIL)
    assert (refused.value.is_final, str(refused.value)) == (is_final, f"The mail server said: {answer}")
    assert office.taken == []
    outlet.hand_over(MAIL)
    assert (len(office.taken), office.connections) == (1, 1)


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        ("connect", CLOSING),
        ("connect", FOR_NOW),
        ("connect", FOR_GOOD),
        ("connect", DROP),
        ("MAIL", CLOSING),
        ("MAIL", "530 log in first"),
        ("MAIL", DROP),
        ("RCPT", CLOSING),
        ("RCPT", DROP),
        ("DATA", CLOSING),
        ("DATA", DROP),
        ("DATA", "250 what"),
        ("end", CLOSING),
    ],
)
def test_server_that_takes_nothing_certainly_has_not_taken_the_mail(office, outlet, step, answer):
    office.script[step] = [answer]
    with pytest.raises(Away):
        outlet.hand_over(MAIL)
    assert office.taken == []
    outlet.hand_over(MAIL)
    assert (len(office.taken), office.connections) == (1, 2)


@pytest.mark.parametrize("answer", [DROP, "999 what", "354 go on", "blah"])
def test_nobody_knows_what_became_of_a_mail_without_an_answer(office, outlet, answer):
    office.script["end"] = [answer]
    with pytest.raises(Unsure):
        outlet.hand_over(MAIL)
    outlet.hand_over(MAIL)
    assert office.connections == 2  # who is out of step is not asked again


@pytest.mark.parametrize(("step", "error"), [("connect", Away), ("MAIL", Away), ("DATA", Away), ("end", Unsure)])
def test_silence_is_given_up(office, outlet, monkeypatch, step, error):
    monkeypatch.setattr(smtp, "TIMEOUT_SECONDS", 0.3)
    silence = threading.Event()
    office.script[step] = [silence]
    with pytest.raises(error):
        outlet.hand_over(MAIL)
    silence.set()


@pytest.mark.parametrize(
    ("step", "answer"), [("RSET", DROP), ("RSET", CLOSING), ("RSET", "500 what"), ("MAIL", DROP), ("MAIL", CLOSING)]
)
def test_connection_that_ended_between_two_mails_is_opened_again(office, outlet, step, answer):
    outlet.hand_over(MAIL)
    office.script[step] = [answer]
    outlet.hand_over(MAIL)
    assert (len(office.taken), office.connections) == (2, 2)


def test_nobody_there():
    with PostOffice() as office:
        url = office.url
    with SmtpOutlet(url) as outlet, pytest.raises(Away):
        outlet.hand_over(MAIL)


def test_address_beyond_ascii_needs_a_server_that_knows_it(office, outlet):
    mail = Mail("jürgen@exämple.com", "Hello", "x\n", "k", "Jürgen")
    outlet.hand_over(mail)
    assert office.to() == ["jürgen@exämple.com"]
    assert "To: Jürgen <jürgen@exämple.com>" in office.taken[0].data.decode()
    office.extensions = []
    with SmtpOutlet(office.url) as other, pytest.raises(Refused, match="SMTPUTF8") as refused:
        other.hand_over(mail)
    assert refused.value.is_final


@pytest.mark.parametrize(
    "mail", [Mail("bob@example.com", "x", "y", "k", "Bob\nBcc: x@y"), Mail("bob@example.com", "x", "\ud800", "k")]
)
def test_what_no_mail_can_hold_is_refused_for_good(office, outlet, mail):
    with pytest.raises(Refused) as refused:
        outlet.hand_over(mail)
    assert refused.value.is_final
    outlet.hand_over(MAIL)
    assert len(office.taken) == 1


def test_password_never_travels_in_the_clear(office):
    with SmtpOutlet(office.url.replace("//", "//user:secret@")) as outlet, pytest.raises(Away):
        outlet.hand_over(MAIL)
    assert "secret" not in " ".join(office.commands)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of localhost, with its key and whoever vouches for it."""
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(file)
    authority.cert_pem.write_to_path(file, append=True)
    return file


@pytest.fixture
def safe_office(certificate: Path) -> Iterator[PostOffice]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with PostOffice(tls) as running:
        running.extensions = ["STARTTLS", "AUTH PLAIN"]
        yield running


def test_connection_is_encrypted_and_then_logged_in(safe_office, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with SmtpOutlet(safe_office.url.replace("//", "//us%65r:p%40ss@")) as outlet:
        outlet.hand_over(MAIL)
        outlet.hand_over(MAIL)
    assert len(safe_office.taken) == 2
    assert "\0user\0p@ss" in safe_office.commands


@pytest.mark.parametrize("user", ["", "user:wrong@"])
def test_server_that_nobody_vouches_for_or_refuses_the_login_gets_nothing(safe_office, certificate, monkeypatch, user):
    if user:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        safe_office.script["AUTH"] = ["535 who are you"]
    with SmtpOutlet(safe_office.url.replace("//", f"//{user}")) as outlet, pytest.raises(Away) as away:
        outlet.hand_over(MAIL)
    assert ("535 who are you" if user else "certificate") in str(away.value)
    assert safe_office.taken == []


def test_folder_takes_mails_too(tmp_path):
    mailer.send(MAIL)
    mailer.send(MAIL)
    (file,) = (tmp_path / "mail").iterdir()
    assert file.name == "key-1.eml"
    assert "Dear Bob,\n.\n..\n" in file.read_text()


def test_folder_that_can_not_be_written_is_away(tmp_path):
    (tmp_path / "mail").write_text("in the way")
    with pytest.raises(Away):
        mailer.send(MAIL)


def test_whatever_smtplib_raises_is_told_apart():
    assert issubclass(smtplib.SMTPException, smtp.BROKEN)
