"""Mail by SMTP (RFC 5321), over connections that are used again."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP as ASCII_HEADERS
from email.policy import SMTPUTF8
from typing import Literal

from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from service.core.events import SinkRefused

Tls = Literal["off", "starttls", "implicit"]

AT_ONCE = 4
"""Connections at most, and so mails under way."""
TIMEOUT = 10.0
"""Seconds for each answer of the server."""
WHOLE_TIMEOUT = 45.0
"""Seconds for all that one mail takes, however slowly the server answers in between."""
GOODBYE = 1.0
"""Seconds for the server to take leave, too."""
IDLE_MAX = 20.0
"""Seconds that a connection waits for the next mail."""
USED_MAX = 50
"""Mails over one connection: servers that count close it some time."""
_ENHANCED = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}")
_NOT_ABOUT_THE_MAIL = frozenset({500, 501, 502, 503, 504, 530, 534, 535, 538})
"""Answers of a server that does not understand us, or wants us to log in (RFC 5321, RFC 4954)."""


@dataclass(frozen=True, slots=True)
class Server:
    """Whom mail is handed to, and who we are there; ``context`` is how TLS is checked."""

    host: str
    port: int
    tls: Tls
    user: str | None
    password: str | None
    context: ssl.SSLContext


@dataclass(slots=True)
class _Line:
    """A connection, and how many mails went over it."""

    smtp: SMTP
    used: int = 0


class SmtpPost:
    """Hands mails to ``server``, from the address ``sender``.

    Refusals say the server's numbers and none of its words, which may repeat an address. What
    the server says of a mail or its recipient is final when it says so (5xx); all else is not,
    above all what is the fault of a setting.
    """

    at_once = AT_ONCE

    def __init__(self, server: Server, sender: str) -> None:
        self._server, self._sender = server, sender
        self._places = asyncio.Semaphore(AT_ONCE)
        self._idle: list[_Line] = []
        self._sweeping: asyncio.TimerHandle | None = None

    async def send(self, message: EmailMessage, recipient: str) -> None:
        """Hand ``message`` over for ``recipient``.

        Raises:
            SinkRefused: the server can't be reached, or does not take it.
        """
        async with self._places:
            try:
                async with asyncio.timeout(WHOLE_TIMEOUT), self._line() as line:
                    await self._hand_over(line.smtp, message, recipient)
            except TimeoutError:  # aiosmtplib's are of this kind, too
                raise SinkRefused("mail server: no answer in time") from None
            except ssl.SSLCertVerificationError as error:
                raise SinkRefused(
                    f"mail server: its certificate ({error.verify_message})"
                ) from None
            except SMTPResponseException as error:
                raise SinkRefused(f"mail server: {_numbers(error.code, error.message)}") from None
            except (OSError, SMTPException, ValueError) as error:
                raise SinkRefused(f"mail server: {type(error).__name__}") from None

    async def close(self) -> None:
        """Take leave of the server on the connections that wait."""
        if self._sweeping:
            self._sweeping.cancel()
        while self._idle:
            smtp = self._idle.pop().smtp
            with suppress(OSError, SMTPException, TimeoutError):  # it is over either way
                await smtp.quit(timeout=GOODBYE)
            smtp.close()

    async def _hand_over(self, smtp: SMTP, message: EmailMessage, recipient: str) -> None:
        """Raises: SinkRefused; SMTPException, when it is not about this mail."""
        options, policy = [], ASCII_HEADERS
        if not recipient.isascii():
            await smtp.ehlo()
            if not smtp.supports_extension("smtputf8"):
                reason = "mail server: takes no address beyond ASCII (no SMTPUTF8)"
                raise SinkRefused(reason, final=True)
            options, policy = ["SMTPUTF8", "BODY=8BITMIME"], SMTPUTF8
        encoding = "utf-8" if options else "ascii"
        await smtp.mail(self._sender, options=options, encoding=encoding)
        try:
            await smtp.rcpt(recipient, encoding=encoding)
            await smtp.data(message.as_bytes(policy=policy))
        except SMTPResponseException as error:
            is_final = error.code >= 500 and error.code not in _NOT_ABOUT_THE_MAIL
            reason = f"mail server: {_numbers(error.code, error.message)}"
            raise SinkRefused(reason, final=is_final) from None

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[_Line]:
        """A connection, kept for the next mail if this one went well."""
        line = await self._waiting() or _Line(await self._connected())
        try:
            yield line
            line.used += 1
        except BaseException:
            line.smtp.close()
            raise
        if line.used < USED_MAX and line.smtp.is_connected:
            self._idle.append(line)
            self._sweep_later()
        else:
            line.smtp.close()

    async def _waiting(self) -> _Line | None:
        """A connection that waits and still answers: no mail is risked to find out."""
        while self._idle:
            line = self._idle.pop()
            try:
                await line.smtp.rset()
            except (OSError, SMTPException, TimeoutError):
                line.smtp.close()
            else:
                return line
        return None

    async def _connected(self) -> SMTP:
        """Raises: SinkRefused; SMTPResponseException, TimeoutError."""
        to = self._server
        smtp = SMTP(
            hostname=to.host,
            port=to.port,
            use_tls=to.tls == "implicit",
            start_tls=to.tls == "starttls",
            tls_context=to.context if to.tls != "off" else None,
            username=to.user,
            password=to.password,
            local_hostname=self._sender.rpartition("@")[2],
            timeout=TIMEOUT,
        )
        try:
            await smtp.connect()
        except (SMTPResponseException, TimeoutError):
            smtp.close()
            raise
        except (OSError, SMTPException) as error:  # of the network and of TLS, not of anybody
            smtp.close()
            raise SinkRefused(f"mail server: {error}") from None
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _sweep_later(self) -> None:
        if self._sweeping:
            self._sweeping.cancel()
        self._sweeping = asyncio.get_running_loop().call_later(IDLE_MAX, self._sweep)

    def _sweep(self) -> None:
        """Nothing was sent for a while."""
        while self._idle:
            self._idle.pop().smtp.close()


def _numbers(code: int, text: str) -> str:
    """The reply and enhanced status code (RFC 3463) of an answer."""
    found = _ENHANCED.match(text.strip())
    return f"{code} {found[0]}" if found else str(code)
