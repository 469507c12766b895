"""Certificates of the gRPC door, read anew when their files change."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

_log = logging.getLogger("arcana.rpc")

_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2; HTTP/2 forbids most others (RFC 9113 §9.2.2)."""
_END = 1.0
"""Seconds that a change under way may take when the server stops."""
Use = Callable[[ssl.SSLContext], Awaitable[None]]


class BadCertificate(Exception):
    """A file can't be used. ``setting`` names it, ``mend`` says what it must be."""

    def __init__(self, setting: str, mend: str) -> None:
        self.setting, self.mend = setting, mend
        super().__init__(f"{setting}: {mend}")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: our chain, its key and, where callers must have a certificate, who signs those."""

    cert: Path
    key: Path
    client_ca: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Raises: BadCertificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_ciphers(_CIPHERS)
        context.set_alpn_protocols(["h2"])
        self._identify(context)
        if self.client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            try:
                context.load_verify_locations(self.client_ca)
            except (OSError, ssl.SSLError):
                mend = "must be a readable PEM file of the certificates that sign clients'"
                raise BadCertificate("GRPC_TLS_CLIENT_CA", mend) from None
        return context

    def _identify(self, context: ssl.SSLContext) -> None:
        for setting, path in (("GRPC_TLS_CERT", self.cert), ("GRPC_TLS_KEY", self.key)):
            try:
                path.read_bytes()
            except OSError:
                raise BadCertificate(setting, "must be a file that can be read") from None
        try:
            # without a passphrase OpenSSL would ask the terminal for one, and wait
            context.load_cert_chain(self.cert, self.key, password="")
        except (ValueError, ssl.SSLError) as error:
            raise _named(error) from None

    def marks(self) -> tuple[tuple[int, int, int], ...]:
        """Something that differs once a file was written or replaced."""
        return tuple(_mark(path) for path in (self.cert, self.key, self.client_ca) if path)


def _named(error: Exception) -> BadCertificate:
    if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
        return BadCertificate("GRPC_TLS_KEY", "must be the key of the certificate in GRPC_TLS_CERT")
    mend = "must be a PEM certificate, followed by those that sign it, with a key of no passphrase"
    return BadCertificate("GRPC_TLS_CERT", f"{mend} in GRPC_TLS_KEY")


def _mark(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)


class Renewal:
    """Looks at the files over and over, off the loop, and hands on what is new and good.

    A pair that does not fit, as when only one of two files is written yet, leaves the former one
    in use, and is told once.
    """

    def __init__(self, files: TlsFiles, *, every: timedelta) -> None:
        self._files, self._every = files, every.total_seconds()
        self._seen, self._ending = files.marks(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def context(self) -> ssl.SSLContext:
        """What to begin with. Raises: BadCertificate."""
        self._seen = self._files.marks()
        return self._files.context()

    def begin(self, use: Use) -> None:
        self._task = asyncio.create_task(self._keep_looking(use))

    async def end(self) -> None:
        """Look no more. A change under way is finished: half of one would go on accepting."""
        self._ending.set()
        if self._task:
            await asyncio.wait([self._task], timeout=_END)
            self._task.cancel()

    async def _keep_looking(self, use: Use) -> None:
        while not await self._ended():
            try:
                await self._look(use)
            except BadCertificate as error:
                _log.error("Certificate kept: %s", error)
            except OSError as error:
                _log.error("Certificate kept", extra={"error": type(error).__name__})

    async def _ended(self) -> bool:
        try:
            return await asyncio.wait_for(self._ending.wait(), self._every)
        except TimeoutError:
            return False

    async def _look(self, use: Use) -> None:
        """Raises: BadCertificate, OSError."""
        marks = await asyncio.to_thread(self._files.marks)
        if marks == self._seen:
            return
        self._seen = marks
        await use(await asyncio.to_thread(self._files.context))
        _log.info("Certificate renewed")
