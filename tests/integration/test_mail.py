"""Mail by SMTP, against a real server: taken, refused, slow, dying, encrypted."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest
import pytest_asyncio

from service.core.events import SinkRefused
from service.infra.mail import MailFolder, Server, SmtpPost, folder, smtp
from tests.support import certificates
from tests.support.mailboxes import Mailbox, mailbox

SENDER = "no-reply@example.com"


def letter(to: str = "ada@example.com", number: int = 1, subject: str = "Hello") -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    local, _, domain = to.rpartition("@")
    message["From"] = SENDER
    message["To"] = Address("", local, domain)
    message["Subject"] = subject
    message["Message-ID"] = f"<{number:04}.welcome@example.com>"
    message.set_content("Grüße\n.\nthe dot above ends nothing\n", cte="quoted-printable")
    return message


def server(port: int, tls: smtp.Tls = "off", password: str | None = None, **more: object) -> Server:
    trusted = more.get("trusted")
    context = ssl.create_default_context()
    if isinstance(trusted, certificates.Pair):
        context.load_verify_locations(cadata=trusted.pem.decode())
    return Server("127.0.0.1", port, tls, "arcana" if password else None, password, context)


async def refusal(post: SmtpPost, to: str = "ada@example.com") -> SinkRefused:
    with pytest.raises(SinkRefused) as caught:
        await post.send(letter(to), to)
    assert "ada" not in caught.value.reason
    return caught.value


@pytest_asyncio.fixture
async def box() -> AsyncIterator[Mailbox]:
    async with mailbox() as box:
        yield box


@pytest_asyncio.fixture
async def post(box: Mailbox) -> AsyncIterator[SmtpPost]:
    post = SmtpPost(server(box.port), SENDER)
    yield post
    await post.close()


async def test_a_mail_arrives_as_it_was_written(box: Mailbox, post: SmtpPost) -> None:
    await post.send(letter(), "ada@example.com")
    (envelope,) = box.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == (SENDER, ["ada@example.com"])
    assert box.mails[0].get_content().split("\r\n") == [
        "Grüße",
        ".",
        "the dot above ends nothing",
        "",
    ]
    assert isinstance(envelope.content, bytes)
    assert envelope.content.isascii()


async def test_one_connection_carries_many_mails_and_no_more_than_it_may(
    box: Mailbox, post: SmtpPost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "USED_MAX", 5)
    for number in range(12):
        await post.send(letter(number=number), "ada@example.com")
    assert len(box.envelopes) == 12
    assert box.connections == 3


async def test_however_many_are_sent_at_once_the_connections_are_bounded(
    box: Mailbox, post: SmtpPost
) -> None:
    box.pause = 0.01
    mails = (post.send(letter(number=n), "ada@example.com") for n in range(40))
    await asyncio.gather(*mails)
    assert len(set(box.ids)) == 40
    assert box.connections <= smtp.AT_ONCE


async def test_an_idle_connection_is_closed_and_the_next_mail_gets_another(
    box: Mailbox, post: SmtpPost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "IDLE_MAX", 0.05)
    await post.send(letter(), "ada@example.com")
    await asyncio.sleep(0.2)
    assert post._idle == []
    await post.send(letter(), "ada@example.com")
    assert box.connections == 2


async def test_a_connection_that_the_server_closed_meanwhile_costs_no_mail() -> None:
    async with mailbox() as first:
        post = SmtpPost(server(first.port), SENDER)
        await post.send(letter(), "ada@example.com")
        (line,) = post._idle
        transport = line.smtp.transport
        assert transport is not None
        transport.close()
        await post.send(letter(), "ada@example.com")
        assert (len(first.envelopes), first.connections) == (2, 2)
        await post.close()


@pytest.mark.parametrize(
    ("answer", "is_final", "reason"),
    [
        ("550 5.1.1 <ada@example.com> is nobody", True, "mail server: 550 5.1.1"),
        ("553 ada@example.com? never", True, "mail server: 553"),
        ("552 5.2.2 full", True, "mail server: 552 5.2.2"),
        ("450 4.2.1 ada@example.com later", False, "mail server: 450 4.2.1"),
        ("421 4.3.2 going", False, "mail server: 421 4.3.2"),
        ("530 5.7.0 log in first", False, "mail server: 530 5.7.0"),
        ("503 bad sequence", False, "mail server: 503"),
    ],
)
async def test_what_the_server_says_of_a_recipient_decides_whether_it_is_tried_again(
    box: Mailbox, post: SmtpPost, answer: str, is_final: bool, reason: str
) -> None:
    box.rcpt = lambda recipient: answer
    found = await refusal(post)
    assert (found.final, found.reason) == (is_final, reason)


@pytest.mark.parametrize(("answer", "is_final"), [("554 5.7.1 spam", True), ("451 later", False)])
async def test_so_does_what_it_says_of_the_mail(
    box: Mailbox, post: SmtpPost, answer: str, is_final: bool
) -> None:
    box.data = lambda: answer
    assert (await refusal(post)).final is is_final


async def test_a_refused_sender_is_a_matter_of_settings_and_tried_again(
    box: Mailbox, post: SmtpPost
) -> None:
    box.mail = lambda sender: "550 5.7.1 not you"
    assert not (await refusal(post)).final


async def test_after_a_refusal_the_next_mail_goes_through(box: Mailbox, post: SmtpPost) -> None:
    box.rcpt = lambda recipient: "550 no" if recipient.startswith("ada") else None
    await refusal(post)
    await post.send(letter("bob@example.com"), "bob@example.com")
    assert [e.rcpt_tos for e in box.envelopes] == [["bob@example.com"]]


async def test_a_server_that_dies_in_the_middle_is_tried_again(
    box: Mailbox, post: SmtpPost
) -> None:
    box.dies = True
    assert not (await refusal(post)).final
    box.dies = False
    await post.send(letter(), "ada@example.com")
    assert len(box.envelopes) == 1


async def test_a_slow_server_is_given_up(
    box: Mailbox, post: SmtpPost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "TIMEOUT", 0.2)
    box.pause = 1
    found = await refusal(post)
    assert (found.final, found.reason) == (False, "mail server: no answer in time")


async def test_a_server_that_drips_is_given_up_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "WHOLE_TIMEOUT", 0.5)

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            writer.write(b"220-more\r\n")
            await asyncio.sleep(0.05)

    dripping = await asyncio.start_server(drip, "127.0.0.1", 0)
    post = SmtpPost(server(dripping.sockets[0].getsockname()[1]), SENDER)
    found = await refusal(post)
    assert (found.final, found.reason) == (False, "mail server: no answer in time")
    dripping.close()
    await asyncio.sleep(0.1)


async def test_nobody_there_is_tried_again(unused_port: int) -> None:
    found = await refusal(SmtpPost(server(unused_port), SENDER))
    assert not found.final
    assert str(unused_port) in found.reason


@pytest.fixture
async def unused_port() -> int:
    gone = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port: int = gone.sockets[0].getsockname()[1]
    gone.close()
    await gone.wait_closed()
    return port


# TLS and log-in


@pytest.fixture(scope="module")
def issuer() -> certificates.Pair:
    return certificates.authority()


@pytest.fixture
def context(issuer: certificates.Pair, tmp_path: Path) -> ssl.SSLContext:
    files = certificates.written(tmp_path, certificates.signed_by(issuer, "mail"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.cert, files.key)
    return context


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_everything_is_said_encrypted_and_logged_in(
    tls: smtp.Tls, context: ssl.SSLContext, issuer: certificates.Pair
) -> None:
    async with mailbox(tls=context, implicit=tls == "implicit", auth=True) as box:
        post = SmtpPost(server(box.port, tls, "open sesame", trusted=issuer), SENDER)
        for number in range(2):
            await post.send(letter(number=number), "ada@example.com")
        assert (len(box.envelopes), box.connections) == (2, 1)
        assert box.logins == [(b"arcana", b"open sesame")]
        assert box.cleartext == 0
        await post.close()


async def test_a_wrong_password_is_a_matter_of_settings(
    context: ssl.SSLContext, issuer: certificates.Pair
) -> None:
    async with mailbox(tls=context, auth=True) as box:
        post = SmtpPost(server(box.port, "starttls", "wrong", trusted=issuer), SENDER)
        found = await refusal(post)
        assert (found.final, found.reason) == (False, "mail server: 535 5.7.8")
        assert box.envelopes == []


async def test_a_server_without_starttls_is_told_nothing(box: Mailbox) -> None:
    post = SmtpPost(server(box.port, "starttls", "open sesame"), SENDER)
    found = await refusal(post)
    assert not found.final
    assert "STARTTLS" in found.reason
    assert (box.logins, box.envelopes, box.cleartext) == ([], [], 0)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_a_certificate_that_nobody_vouches_for_is_not_taken(
    tls: smtp.Tls, context: ssl.SSLContext
) -> None:
    async with mailbox(tls=context, implicit=tls == "implicit", auth=True) as box:
        found = await refusal(SmtpPost(server(box.port, tls, "open sesame"), SENDER))
        assert not found.final
        assert "certificate verify failed" in found.reason
        assert box.logins == []


# Addresses beyond ASCII


async def test_an_address_beyond_ascii_arrives_where_the_server_takes_it(
    box: Mailbox, post: SmtpPost
) -> None:
    await post.send(letter("jörg@example.com", subject="Grüße"), "jörg@example.com")
    (envelope,) = box.envelopes
    assert envelope.rcpt_tos == ["jörg@example.com"]
    assert "SMTPUTF8" in envelope.mail_options
    assert isinstance(envelope.content, bytes)
    assert "To: jörg@example.com".encode() in envelope.content
    assert box.mails[0]["Subject"] == "Grüße"


async def test_where_it_does_not_the_refusal_is_final() -> None:
    async with mailbox(utf8=False) as box:
        post = SmtpPost(server(box.port), SENDER)
        found = await refusal(post, "jörgada@example.com")
        assert found.final
        assert "SMTPUTF8" in found.reason
        assert box.envelopes == []
        await post.close()


# Into a folder


async def test_a_folder_holds_the_newest_and_one_sent_twice_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "KEPT", 3)
    place = tmp_path / "var" / "mail"
    post = MailFolder(place)
    for number in (1, 2, 3, 4, 5, 5):
        await post.send(letter("jörg@example.com", number), "jörg@example.com")
    names = [f"{n:04}.welcome.eml" for n in (3, 4, 5)]
    assert sorted(path.name for path in place.iterdir()) == names
    assert "jörg@example.com" in (place / names[0]).read_text("utf-8")
    assert (place / names[0]).stat().st_mode & 0o077 == 0
    await post.close()


async def test_a_folder_that_can_not_be_made_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(SinkRefused, match="MAIL_FOLDER") as caught:
        await MailFolder(tmp_path / "taken").send(letter(), "ada@example.com")
    assert not caught.value.final


async def test_what_an_id_says_never_leaves_the_folder(tmp_path: Path) -> None:
    message = letter()
    message.replace_header("Message-ID", "<../../etc/passwd@example.com>")
    await MailFolder(tmp_path / "mail").send(message, "ada@example.com")
    assert folders_of_mails(tmp_path) == [tmp_path / "mail"]


def folders_of_mails(place: Path) -> list[Path]:
    return [path.parent for path in place.rglob("*.eml")]
