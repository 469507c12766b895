"""Messages to addresses that others named: bounded in time and size, and to nobody inside."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from email.utils import parsedate_to_datetime

import certifi
import httpcore

from service.core.clock import Clock, utc_now
from service.core.destinations import Destinations
from service.core.ports import HookAnswer, HookFailed

CONNECT = 3.0
WHOLE = 10.0
"""Seconds for a connection, names and TLS among it, and for all from the wait for one on."""
BODY_MAX = 1024
"""Bytes of an answer's body that are read, for no more than that the connection can be kept."""
BODY_WAIT = 1.0
RETRY_AFTER_MAX = timedelta(hours=1)
CONNECTIONS_MAX, IDLE_MAX, IDLE_SECONDS = 200, 20, 30.0
AGENT = "Arcana-Webhooks"

Options = Iterable[httpcore.SOCKET_OPTION] | None
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


async def resolve(host: str, port: int) -> Sequence[str]:
    """Every address that a name stands for, asked in a thread. Raises: OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class _Forbidden(Exception):
    """The name leads somewhere that nothing may be sent to."""


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were checked: what is asked of the name is asked once.

    So a name that leads elsewhere a moment later leads nobody astray. TLS is none of its business:
    it goes by the name, as ever.
    """

    def __init__(self, destinations: Destinations, resolve: Resolve) -> None:
        self._destinations, self._resolve = destinations, resolve
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Options = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
                if not all(self._destinations.may_reach(host, each) for each in addresses):
                    raise _Forbidden  # one is enough: whoever mixes them in has something in mind
                return await self._connect(addresses, port, local_address, socket_options)
        except TimeoutError:
            raise httpcore.ConnectTimeout from None

    async def _connect(
        self, addresses: Sequence[str], port: int, local_address: str | None, options: Options
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first of them that takes one."""
        failed = httpcore.ConnectError("no address")
        for address in addresses:
            try:
                return await self._inner.connect_tcp(address, port, None, local_address, options)
            except httpcore.ConnectError as error:
                failed = error
        raise failed

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Options = None
    ) -> httpcore.AsyncNetworkStream:
        raise _Forbidden

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class HttpHooks:
    """``core.ports.HookSender`` over HTTP/1.1: no proxy, no redirect, no second try.

    What the operator allows besides the public internet is in ``destinations``.
    """

    def __init__(
        self,
        destinations: Destinations | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve = resolve,
        clock: Clock = utc_now,
    ) -> None:
        self.destinations = destinations or Destinations()
        self._tls, self._clock = tls, clock
        self._backend = _GuardedBackend(self.destinations, resolve)
        self._pool: httpcore.AsyncConnectionPool | None = None
        self._opening = asyncio.Lock()

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> HookAnswer:
        """POST ``body``; any status is an answer.

        Raises:
            HookFailed: there was none, or nobody may be asked there.
        """
        pool = await self._open_pool()
        try:
            async with asyncio.timeout(WHOLE):
                return await self._send(pool, url, headers, body)
        except Exception as error:
            if (reason := _reason(error)) is None:
                raise
            raise HookFailed(reason) from None

    async def close(self) -> None:
        """Hang up everywhere; harmless when nothing was sent."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.aclose()

    async def _send(
        self,
        pool: httpcore.AsyncConnectionPool,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> HookAnswer:
        told = {"user-agent": AGENT, "accept": "*/*", **headers}
        timeouts = {"connect": CONNECT, "read": WHOLE, "write": WHOLE, "pool": WHOLE}
        sent = pool.stream(
            "POST",
            url,
            headers=[(name.encode(), value.encode()) for name, value in told.items()],
            content=body,
            extensions={"timeout": timeouts},
        )
        async with sent as response:
            waits = [v for n, v in response.headers if n.lower() == b"retry-after"]
            answer = HookAnswer(response.status, self._retry_after(waits))
            # The head has said it all: a body that is cut off or late takes nothing back.
            with suppress(httpcore.NetworkError, httpcore.ProtocolError, TimeoutError):
                async with asyncio.timeout(BODY_WAIT):
                    await _read_a_little(response)
            return answer

    async def _open_pool(self) -> httpcore.AsyncConnectionPool:
        """The pool, made at the first use: reading what is trusted takes a while, in a thread."""
        async with self._opening:
            if self._pool is None:
                self._pool = httpcore.AsyncConnectionPool(
                    ssl_context=self._tls or await asyncio.to_thread(_trusting),
                    max_connections=CONNECTIONS_MAX,
                    max_keepalive_connections=IDLE_MAX,
                    keepalive_expiry=IDLE_SECONDS,
                    network_backend=self._backend,
                )
            return self._pool

    def _retry_after(self, values: Sequence[bytes]) -> timedelta | None:
        """Seconds or an instant (RFC 9110 §10.2.3); nothing for what is neither or is over."""
        if len(values) != 1:
            return None
        text = values[0].decode("ascii", "replace").strip()
        if text.isascii() and text.isdigit():
            wait = timedelta(seconds=min(int(text[:9]), RETRY_AFTER_MAX.total_seconds()))
        else:
            try:
                wait = parsedate_to_datetime(text) - self._clock()
            except (ValueError, TypeError, OverflowError):
                return None
        return min(wait, RETRY_AFTER_MAX) if wait > timedelta() else None


async def _read_a_little(response: httpcore.Response) -> None:
    read = 0
    async for chunk in response.aiter_stream():
        read += len(chunk)
        if read > BODY_MAX:
            return


def _trusting() -> ssl.SSLContext:
    """What the machine trusts, SSL_CERT_FILE too; certifi's list where it has none of its own."""
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:
        context.load_verify_locations(certifi.where())
    return context


_REASONS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (_Forbidden, "the host's address is not public"),
    ((socket.gaierror, UnicodeError), "the host's name leads nowhere"),
    (ssl.SSLCertVerificationError, "the certificate is not good"),
    (ssl.SSLError, "TLS failed"),
    (httpcore.ConnectTimeout, "no connection in time"),
    (httpcore.ConnectError, "no connection"),
    ((TimeoutError, httpcore.TimeoutException), "no answer in time"),
    (httpcore.ProtocolError, "the answer was no HTTP/1.1"),
    ((httpcore.NetworkError, OSError), "the connection was lost"),
)
"""Failures in words that tell nothing of addresses; the first that fits says the most."""


def _reason(error: Exception) -> str | None:
    """What failed, in words; None for a bug."""
    causes = list(_causes(error))
    for kinds, reason in _REASONS:
        if any(isinstance(cause, kinds) for cause in causes):
            return reason
    return None


def _causes(error: BaseException | None) -> Iterable[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
