"""The channels: the inbox, and mail."""

from collections.abc import Awaitable
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from typing import Protocol

from service.core.clock import Clock, utc_now
from service.core.events import SinkRefused
from service.notifications.kinds import ChannelName
from service.notifications.rendering import Letter, Templates
from service.notifications.repository import NotificationRepository
from service.notifications.sinks import Notice

NO_MAILBOX = ".invalid"
"""How addresses end that nobody can have (RFC 2606 §2), such as those of service accounts."""


class Inbox:
    """What people read in the application; of one event each of them is told once."""

    name, at_once = ChannelName.INBOX, 8

    def __init__(self, notifications: NotificationRepository, templates: Templates) -> None:
        self._notifications, self._templates = notifications, templates

    async def deliver(self, notice: Notice) -> None:
        """Raises: BrokenTemplate; Unavailable."""
        note = self._templates.note(notice.kind, notice.values)
        await self._notifications.add(
            notice.user_id,
            notice.told.id,
            kind=notice.kind.name,
            title=note.title,
            body=note.body,
            at=notice.told.at,
        )

    async def close(self) -> None:
        """It holds nothing."""


class Post(Protocol):
    """Whoever takes mails on."""

    @property
    def at_once(self) -> int:
        """How many it takes at a time."""

    def send(self, message: EmailMessage, recipient: str) -> Awaitable[None]:
        """Take a mail on for ``recipient``. Raises: SinkRefused."""

    async def close(self) -> None:
        """Let go of connections."""


class Mail:
    """Mail from ``sender``; what is sent twice has the same Message-ID both times."""

    name = ChannelName.MAIL

    def __init__(
        self, post: Post, templates: Templates, sender: Address, clock: Clock = utc_now
    ) -> None:
        self._post, self._templates, self._sender = post, templates, sender
        self._clock = clock

    @property
    def at_once(self) -> int:
        return self._post.at_once

    async def deliver(self, notice: Notice) -> None:
        """Raises: BrokenTemplate; SinkRefused."""
        if notice.email.endswith(NO_MAILBOX):
            return
        letter = self._templates.letter(notice.kind, notice.values)
        message = written(letter, notice, self._sender, self._clock())
        await self._post.send(message, notice.email)

    async def close(self) -> None:
        await self._post.close()


def written(letter: Letter, notice: Notice, sender: Address, now: datetime) -> EmailMessage:
    """The whole mail. Its headers hold nothing that could end one and begin another.

    Raises:
        SinkRefused: one would, for good.
    """
    local, _, domain = notice.email.rpartition("@")
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = Address(_plain(notice.values["name"]), local, domain)
    message["Subject"] = _plain(letter.subject)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{notice.told.id}.{notice.kind.name}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office note comes back
    message.set_content(letter.text + "\n", cte="quoted-printable")
    message.add_alternative(letter.html, subtype="html", cte="quoted-printable")
    message["Content-Language"] = letter.language  # last, or it would go down into the first part
    if _headers_sent(message) != message.keys():
        raise SinkRefused("a header of the mail would end it and begin another", final=True)
    return message


def _headers_sent(message: EmailMessage) -> list[str]:
    """The names of headers as a server will read them."""
    head = message.as_bytes(policy=SMTPUTF8).partition(b"\r\n\r\n")[0]
    begun = (line for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t")))
    return [line.partition(b":")[0].decode(errors="replace") for line in begun]


def _plain(text: str) -> str:
    """``text`` for a header, so that nothing in it is read as an encoded word (RFC 2047).

    Python's email package decodes those that it is given, line ends included, and writes out what
    it found: ``=?utf-8?q?A=0D=0ABcc:_eve?=`` as a name would be a header of its own.
    """
    return text.replace("=?", "= ?")
