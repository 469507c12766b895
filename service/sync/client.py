"""A client of ``arcana.sync.UserSyncService``, which others implement."""

import ssl
import time
from dataclasses import dataclass
from pathlib import Path

from arcana_protos import sync, user
from grpclib import GRPCError
from grpclib.client import Channel
from grpclib.const import Status
from grpclib.exceptions import StreamTerminatedError

from service.core import metrics
from service.core.directories import Directory
from service.core.events import SinkRefused
from service.users.rpc import to_user
from service.users.schemas import UserView

DEADLINE = 5.0
"""Seconds that one push may take."""


@dataclass(frozen=True, slots=True)
class ClientTls:
    """PEM files: who signs certificates of directories, and the one that we show, with its key."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Raises: OSError, ssl.SSLError (which is one)."""
        context = ssl.create_default_context(cafile=self.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["h2"])
        if self.cert and self.key:
            context.load_cert_chain(self.cert, self.key, password="")
        return context


class DirectoryClient:
    """One connection to a directory, opened when it is first needed and again when it broke."""

    def __init__(self, directory: Directory, tls: ClientTls, *, deadline: float = DEADLINE) -> None:
        self._directory, self._tls, self._deadline = directory, tls, deadline
        self._channel: Channel | None = None

    async def push(self, user: UserView, event_id: str) -> None:
        """Raises: SinkRefused."""
        await self._send(sync.PushUserRequest(to_user(user), user.version, False, event_id))

    async def forget(self, user_id: str, version: int, event_id: str) -> None:
        """Raises: SinkRefused."""
        gone = user_response(user_id)
        await self._send(sync.PushUserRequest(gone, version, True, event_id))

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    async def _send(self, request: sync.PushUserRequest) -> None:
        """Raises: SinkRefused."""
        began = time.monotonic()
        try:
            await self._ask(request)
        except SinkRefused:
            metrics.PUSHES.observe(time.monotonic() - began, self._directory.name, "refused")
            raise
        metrics.PUSHES.observe(time.monotonic() - began, self._directory.name, "taken")

    async def _ask(self, request: sync.PushUserRequest) -> None:
        """Raises: SinkRefused."""
        try:
            stub = sync.UserSyncServiceStub(self._opened())
            await stub.push_user(request, timeout=self._deadline)
        except GRPCError as error:
            final = error.status is Status.INVALID_ARGUMENT
            raise SinkRefused(f"it answered {error.status.name}", final=final) from None
        except TimeoutError:
            raise SinkRefused(f"no answer within {self._deadline:g} s") from None
        except (OSError, StreamTerminatedError) as error:
            raise SinkRefused(f"it cannot be reached ({type(error).__name__})") from None

    def _opened(self) -> Channel:
        if self._channel is None:
            of = self._directory
            context = self._tls.context() if of.tls else None
            self._channel = Channel(of.host, of.port, ssl=context)
        return self._channel


def user_response(user_id: str) -> user.UserResponse:
    """A user of whom nothing is left but the id."""
    return user.UserResponse(id=user_id)
