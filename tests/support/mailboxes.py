"""A real SMTP server in the tests' own loop, which answers as it is told."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class Mailbox:
    """What a server took, and what it is to answer: None for what it would by itself."""

    port: int = 0
    envelopes: list[Envelope] = field(default_factory=list)
    connections: int = 0
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    mail: Callable[[str], str | None] = lambda sender: None
    rcpt: Callable[[str], str | None] = lambda recipient: None
    data: Callable[[], str | None] = lambda: None
    pause: float = 0.0
    dies: bool = False
    cleartext: int = 0

    @property
    def mails(self) -> list[EmailMessage]:
        return [self.read(envelope) for envelope in self.envelopes]

    def read(self, envelope: Envelope) -> EmailMessage:
        assert isinstance(envelope.content, bytes)
        read = BytesParser(policy=default).parsebytes(envelope.content)
        assert isinstance(read, EmailMessage)
        return read

    @property
    def ids(self) -> list[str]:
        return [str(mail["Message-ID"]) for mail in self.mails]

    # what aiosmtpd calls

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        assert server.transport is not None
        self.cleartext += server.transport.get_extra_info("ssl_object") is None
        if answer := self.mail(address):
            return answer
        envelope.mail_from, envelope.mail_options = address, options
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if answer := self.rcpt(address):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        await asyncio.sleep(self.pause)
        if self.dies:
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
            return "451 nobody hears this"
        if answer := self.data():
            return answer
        self.envelopes.append(envelope)
        return "250 OK"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"open sesame", handled=False)


@asynccontextmanager
async def mailbox(
    *,
    tls: ssl.SSLContext | None = None,
    implicit: bool = False,
    auth: bool = False,
    utf8: bool = True,
) -> AsyncIterator[Mailbox]:
    """A server at 127.0.0.1; with ``tls`` it offers STARTTLS and demands it."""
    box, running = Mailbox(), set[asyncio.WriteTransport]()

    def connected() -> SMTP:
        box.connections += 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of what TLS it knows nothing of
            return made()

    def made() -> SMTP:
        return Noted(
            running,
            box,
            hostname="mail.test",
            tls_context=None if implicit else tls,
            require_starttls=tls is not None and not implicit,
            enable_SMTPUTF8=utf8,
            authenticator=box.authenticate if auth else None,
            auth_required=auth,
            auth_require_tls=not implicit,  # it knows of STARTTLS alone
            loop=asyncio.get_running_loop(),
        )

    server = await asyncio.get_running_loop().create_server(
        connected, "127.0.0.1", 0, ssl=tls if implicit else None
    )
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        for transport in list(running):
            transport.abort()
        for _ in range(20):  # until its tasks are told, or they'd be somebody else's pending ones
            await asyncio.sleep(0)
        await server.wait_closed()


class Noted(SMTP):
    """aiosmtpd's protocol, whose open connections are known."""

    def __init__(self, running: set[asyncio.WriteTransport], *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._running = running

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._running.add(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        assert self.transport is None or isinstance(self.transport, asyncio.WriteTransport)
        if self.transport is not None:
            self._running.discard(self.transport)
        super().connection_lost(error)
