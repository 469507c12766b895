"""Events become notifications: in the inbox once, and in the mailbox recognisably the same."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio

from service.core.events import SinkRefused, Told
from service.core.ids import new_id
from service.infra.database import Database
from service.infra.mail import Server, SmtpPost
from service.notifications.channels import Inbox, Mail, written
from service.notifications.kinds import KINDS
from service.notifications.models import Notification
from service.notifications.rendering import Letter, Templates
from service.notifications.repository import NotificationRepository
from service.notifications.sinks import Notice, NoticeSink
from service.users.models import User
from tests.support.databases import Backend, clear, fresh_database
from tests.support.mailboxes import Mailbox, mailbox
from tests.support.notices import order, told

URL = "https://accounts.example.com"
TEMPLATES = Templates(None, service="Arcana", url=URL)
SENDER = Address("Arcana", addr_spec="no-reply@example.com")


@pytest.fixture(scope="module")
def url(backend: Backend) -> Iterator[str]:
    with fresh_database(backend) as url:
        yield url


@pytest_asyncio.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    await database.connect()
    await clear(database)
    yield database
    await database.close()


@dataclass
class World:
    """Somebody, the two sinks, and the mailbox behind one of them."""

    ada: UUID
    inbox: NoticeSink
    mail: NoticeSink
    box: Mailbox

    async def tell(self, event: Told) -> None:
        for sink in (self.inbox, self.mail):
            if sink.wants(event):
                await sink.take(event)

    async def rows(self) -> list[Notification]:
        return await Notification.all().order_by("id")

    def text(self, number: int = -1) -> str:
        return part(self.box.mails[number], "plain")

    def html(self, number: int = -1) -> str:
        return part(self.box.mails[number], "html")


def part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert isinstance(body, EmailMessage)
    return str(body.get_content())


async def somebody(name: str = "Ada", email: str = "ada@example.com") -> UUID:
    row = await User.create(name=name, email=email, search=name.lower())
    return UUID(str(row.id))


@pytest_asyncio.fixture
async def world(database: Database) -> AsyncIterator[World]:
    notices = NotificationRepository()
    async with mailbox() as box:
        nobody = Server("127.0.0.1", box.port, "off", None, None, context=None)  # type: ignore[arg-type]  # without TLS
        mail = Mail(SmtpPost(nobody, SENDER.addr_spec), TEMPLATES, SENDER)
        sinks = NoticeSink(Inbox(notices, TEMPLATES), notices), NoticeSink(mail, notices)
        yield World(await somebody(), *sinks, box)
        for sink in sinks:
            await sink.close()


@dataclass
class NotingPost:
    """Keeps what it is to send."""

    at_once: int = 1
    sent: list[EmailMessage] = field(default_factory=list)

    async def send(self, message: EmailMessage, recipient: str) -> None:
        self.sent.append(message)

    async def close(self) -> None:
        pass


def own(folder: Path) -> Templates:
    return Templates(folder, service="Arcana", url=URL)


def created(user: UUID, *roles: str, **more: object) -> Told:
    return told("user.created", user, id=str(user), roles=["user", *roles], **more)


# Who is told what


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        ("welcome", "Welcome to Arcana"),
        ("suspended", "Your account was suspended"),
        ("session_reused", "We signed you out of a session"),
        ("password_changed", "Your password was changed"),
        ("order_paid", "We received your payment"),
        ("order_shipped", "Your order is on its way"),
        ("order_delivered", "Your order was delivered"),
        ("order_cancelled", "Your order was cancelled"),
    ],
)
@pytest.mark.one_database
async def test_each_kind_reaches_inbox_and_mailbox(world: World, kind: str, subject: str) -> None:
    ada = world.ada
    event = {
        "welcome": created(ada),
        "suspended": told("user.status_changed", ada, status="suspended"),
        "session_reused": told("session.ended", ada, why="refresh_reuse"),
        "password_changed": told("user.password_changed", ada),
    }.get(kind) or order(kind.removeprefix("order_"), ada)
    await world.tell(event)
    (row,) = await world.rows()
    assert (row.kind, row.title, row.read_at) == (kind, subject, None)
    assert (UUID(str(row.event_id)), row.created_at) == (event.id, event.at)
    assert row.body
    (mail,) = world.box.mails
    assert mail["Subject"] == subject
    assert "Hello Ada," in world.text()
    assert URL in world.text()
    assert f'<a href="{URL}">' in world.html()
    if kind.startswith("order"):
        assert "2 x Lamp" in world.text()
        assert "19.00 EUR" in world.html()


@pytest.mark.parametrize(
    "event",
    [
        created(new_id(), "service"),
        created(new_id(), imported=True),
        told("user.created", None, roles=["user"]),
        told("user.status_changed", new_id(), status="active"),
        told("user.status_changed", new_id(), status="inactive"),
        told("session.ended", new_id(), why="logout"),
        told("session.ended", new_id()),
        told("user.updated", new_id(), status="suspended"),
        told("order.created", new_id()),
        told("order.paid", None),
        told("", new_id()),
    ],
    ids=[
        *("of a machine", "imported", "of nobody", "active", "inactive", "log-out", "no reason"),
        *("another event", "a new order", "an order of nobody", "no event"),
    ],
)
def test_of_all_else_nobody_is_told(event: Told) -> None:
    sink = NoticeSink(Inbox(NotificationRepository(), TEMPLATES), NotificationRepository())
    assert not sink.wants(event)


# Once


async def test_the_inbox_holds_an_event_once_however_often_it_comes(world: World) -> None:
    event = created(world.ada)
    await asyncio.gather(*(world.inbox.take(event) for _ in range(10)))
    await world.inbox.take(event)
    assert len(await world.rows()) == 1


async def test_what_was_deleted_from_the_inbox_may_come_again_and_what_was_read_stays_read(
    world: World,
) -> None:
    event = created(world.ada)
    await world.inbox.take(event)
    assert await Notification.all().update(read_at=event.at) == 1
    await world.inbox.take(event)
    (row,) = await world.rows()
    assert row.read_at == event.at


@pytest.mark.one_database
async def test_a_mail_sent_twice_is_recognisable_by_its_id(world: World) -> None:
    event = created(world.ada)
    await world.mail.take(event)
    await world.mail.take(event)
    await world.mail.take(created(world.ada))
    one, again, other = world.box.ids
    assert one == again == f"<{event.id}.welcome@example.com>"
    assert other != one


# To whom


@pytest.mark.one_database
async def test_mail_goes_to_the_address_of_now(world: World) -> None:
    event = told("user.password_changed", world.ada, email="old@example.com", name="Old")
    await User.filter(id=world.ada).update(email="new@example.com", name="Countess")
    await world.mail.take(event)
    assert world.box.envelopes[0].rcpt_tos == ["new@example.com"]
    assert "Hello Countess," in world.text()
    assert "old@example.com" not in world.text() + world.html()


async def test_whoever_is_gone_is_told_nothing(world: World) -> None:
    await User.filter(id=world.ada).delete()
    await world.tell(created(world.ada))
    assert (await world.rows(), world.box.envelopes) == ([], [])


async def test_a_user_deleted_in_between_is_no_failure(database: Database) -> None:
    del database
    notices, now = NotificationRepository(), created(new_id()).at
    words = {"kind": "welcome", "title": "Hello", "body": "", "at": now}
    assert not await notices.add(new_id(), new_id(), **words)  # type: ignore[arg-type]


@pytest.mark.one_database
async def test_an_address_that_nobody_can_have_gets_no_mail(world: World) -> None:
    machine = await somebody("Billing", f"{new_id()}@clients.invalid")
    await world.tell(told("user.password_changed", machine))
    assert len(await world.rows()) == 1
    assert world.box.connections == 0


@pytest.mark.one_database
async def test_a_recipient_that_the_server_refuses_is_final_and_named_nowhere(
    world: World,
) -> None:
    world.box.rcpt = lambda recipient: f"550 5.1.1 <{recipient}> unknown"
    with pytest.raises(SinkRefused) as caught:
        await world.mail.take(created(world.ada))
    assert (caught.value.final, caught.value.reason) == (True, "mail server: 550 5.1.1")


# What stands in it


@pytest.mark.one_database
async def test_the_whole_mail(world: World) -> None:
    await world.mail.take(created(world.ada))
    (mail,) = world.box.mails
    assert mail["From"] == "Arcana <no-reply@example.com>"
    assert mail["To"] == "Ada <ada@example.com>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Content-Language"] == "en"
    assert abs(mail["Date"].datetime.timestamp() - now()) < 60
    assert mail.get_content_type() == "multipart/alternative"
    kinds = [each.get_content_type() for each in mail.iter_parts()]
    assert kinds == ["text/plain", "text/html"]
    assert {"<img", "url(", "<script"} & set(world.html().split()) == set()


def now() -> float:
    return created(new_id()).at.timestamp()


HEADERS = (
    *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"),
    *("Content-Language", "MIME-Version", "Content-Type"),
)
HOSTILE_NAMES = [
    "Ada\r\nBcc: eve@example.com",
    "Ada\nBcc: eve@example.com",
    "Ada\rBcc: eve@example.com",
    "Ada\r\n\r\nThe body",
    "Ada\u2028Bcc: eve",
    "Ada\u0085Bcc: eve",
    "Ada\x0bBcc: eve",
    "\x00Ada",
    'Ada" <eve>, "',
    "=?utf-8?q?Ada=0D=0ABcc:_eve?=",
    "=?utf-8?b?QWRhDQpCY2M6IGV2ZQ==?=",
    "==??utf-8?q?Ada=0D=0ABcc:_eve?=",
    "Ada =?utf-8?q?a?= =?utf-8?q?=0D=0ABcc:_eve?=",
    "<script>alert(1)<&lt;script>",
    "{{ 7 * 7 }}{% raw %}",
    "Zoë 🙂 夏",
    "x" * 255,
    "\u202eabc",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.one_database
async def test_no_name_begins_a_header_or_a_tag(world: World, name: str) -> None:
    await User.filter(id=world.ada).delete()
    try:
        user = await somebody(name)
    except Exception:  # noqa: BLE001  # PostgreSQL holds no NUL
        assert "\x00" in name
        return
    await world.tell(told("user.password_changed", user))
    (envelope,), (mail,) = world.box.envelopes, world.box.mails
    assert envelope.rcpt_tos == ["ada@example.com"]
    assert sorted(mail.keys()) == sorted(HEADERS)
    assert [address.addr_spec for address in mail["To"].addresses] == ["ada@example.com"]
    assert "<script>" not in world.html()
    assert "49" not in world.text()
    (row,) = await world.rows()
    assert "\n" not in row.title


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.one_database
async def test_nor_does_one_in_a_subject(world: World, name: str, tmp_path: Path) -> None:
    (tmp_path / "welcome.txt").write_text("For {{ name }}!\n\nHello")
    post, notices = NotingPost(), NotificationRepository()
    sink = NoticeSink(Mail(post, own(tmp_path), SENDER), notices)
    await User.filter(id=world.ada).update(name=name.replace("\0", ""))
    await sink.take(created(world.ada))
    (mail,) = post.sent
    head = mail.as_bytes().partition(b"\r\n\r\n")[0].split(b"\r\n")
    begun = [line.partition(b":")[0].decode() for line in head if not line.startswith(b" ")]
    assert sorted(begun) == sorted(HEADERS)
    assert not any(char in line for line in head for char in (b"\r", b"\n", b"\0"))


@pytest.mark.one_database
async def test_a_header_of_two_lines_is_never_sent(world: World) -> None:
    """Whatever our own cleaning should miss."""
    event = created(world.ada)
    name = "=?utf-8?q?Ada=0D=0ABcc:_eve?="
    letter = Letter("Hello", "text", "html", "en")
    sender = Address(name, addr_spec="no-reply@example.com")
    notice = Notice(event, KINDS[0], world.ada, "ada@example.com", {"name": "Ada"})
    with pytest.raises(SinkRefused, match="would end it and begin another") as caught:
        written(letter, notice, sender, event.at)
    assert caught.value.final


@pytest.mark.one_database
async def test_a_name_in_html_is_text(world: World) -> None:
    await User.filter(id=world.ada).update(name="<b>Ada & Co<b>")
    await world.mail.take(created(world.ada))
    assert "Hello &lt;b&gt;Ada &amp; Co&lt;b&gt;," in world.html()
    assert "Hello <b>Ada & Co<b>," in world.text()


@pytest.mark.parametrize(
    "name", ["Win at https://evil.example", "evil.example", "a@evil.example", "Ada/Bob", "x" * 101]
)
@pytest.mark.one_database
async def test_a_name_that_might_be_somebody_elses_message_is_not_passed_on(
    world: World, name: str
) -> None:
    await User.filter(id=world.ada).update(name=name)
    await world.mail.take(created(world.ada))
    assert "Hello,\n" in world.text().replace("\r\n", "\n")
    assert name not in world.text() + world.html() + str(world.box.mails[0]["To"])


@pytest.mark.parametrize("name", ["J. R. R. Tolkien", "J.R.R. Tolkien", "Anne-Marie O'Neill"])
@pytest.mark.one_database
async def test_ordinary_names_are_greeted(world: World, name: str) -> None:
    await User.filter(id=world.ada).update(name=name)
    await world.mail.take(created(world.ada))
    assert f"Hello {name}," in world.text()


@pytest.mark.one_database
async def test_an_event_that_a_template_can_not_tell_of_is_refused_for_good(world: World) -> None:
    event = told("order.paid", world.ada, id="1")
    for sink in (world.inbox, world.mail):
        assert sink.wants(event)
        with pytest.raises(SinkRefused, match="template order_paid") as caught:
            await sink.take(event)
        assert caught.value.final
    assert world.box.envelopes == []


async def test_a_huge_order_fits_the_inbox(world: World) -> None:
    await world.inbox.take(order("paid", world.ada, id="9" * 5000))
    (row,) = await world.rows()
    assert len(row.body) == 2000
    assert row.body.endswith("…")


@pytest.mark.one_database
async def test_sinks_say_what_the_relay_asks(world: World) -> None:
    assert (world.inbox.name, world.mail.name) == ("inbox", "mail")
    assert world.mail.at_once >= 1
    assert sum(world.mail.schedule, timedelta()) > timedelta(days=2)
