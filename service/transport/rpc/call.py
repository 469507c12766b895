"""The call under way: its id, who makes it, and until when it may run."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from multidict import MultiDict

from service.core.access import Actor
from service.core.errors import Forbidden
from service.core.views import VersionedView
from service.transport.credentials import bearer_token
from service.transport.request_ids import request_id
from service.transport.rpc.arrival import arrival

Authenticate = Callable[[Actor, str], Awaitable[Actor]]
"""Who an access token speaks for; the visitor given keeps its address. Raises InvalidToken."""

Metadata = MultiDict[Any]
V = TypeVar("V", bound=VersionedView)

_current: ContextVar["Call"] = ContextVar("arcana_rpc_call")


@dataclass(slots=True)
class Call:
    """One gRPC call. ``initial`` is the metadata sent before its first answer.

    For the log, ``code`` says how it ended, and ``known`` who makes it as far as anybody asked.
    """

    method: str
    metadata: Metadata
    address: str
    authenticate: Authenticate
    request_id: str = ""
    initial: dict[str, str] = field(default_factory=dict)
    code: str = ""
    known: Actor | None = None
    _actor: Actor | None = None

    def __post_init__(self) -> None:
        self.request_id = request_id(self.metadata.getall("x-request-id", []))
        self.initial["x-request-id"] = self.request_id

    def begin(self) -> None:
        """Make this the call of the running task."""
        _current.set(self)

    @property
    def visitor(self) -> Actor:
        """The caller without a name; the ``authorization`` metadata is not looked at."""
        return Actor(address=self.address, agent=arrival().agent)

    async def actor(self) -> Actor:
        """Raises: InvalidToken, and whatever else ``authenticate`` raises."""
        if self._actor is None:
            token = bearer_token(self.metadata.getall("authorization", []))
            visitor = self.visitor
            self._actor = visitor if token is None else await self.authenticate(visitor, token)
            self.known = self._actor
        return self._actor

    async def recheck(self) -> None:
        """Ask again for the caller of a call that goes on, if it has one.

        Raises:
            Forbidden: a role that it had when it was let in is taken from it. An access token
                dies with that; an API key lives on, with the roles of now.
            InvalidToken, and whatever else ``authenticate`` raises.
        """
        before = self._actor
        if before is not None and before.is_signed_in:
            self._actor = None
            now = await self.actor()
            if not before.roles <= now.roles:
                raise Forbidden


def call() -> Call:
    """The call that the running task serves."""
    return _current.get()


async def actor() -> Actor:
    """Whoever makes this call, resolved once; anonymous without ``authorization`` metadata.

    Raises:
        InvalidToken: the metadata is there and not a good bearer token.
    """
    return await call().actor()


def visitor() -> Actor:
    """The caller of a public method, whatever ``authorization`` says."""
    return call().visitor


def if_match() -> str | None:
    """What the caller demands of the row, for a service to read."""
    return _joined("if-match")


def idempotency_key() -> str | None:
    """The caller's name for this creation, for a service to read."""
    return _joined("idempotency-key")


def _joined(name: str) -> str | None:
    values = call().metadata.getall(name, [])
    return ", ".join(map(str, values)) if values else None


def tagged(view: V) -> V:
    """``view``, whose version the answer will carry as ``etag`` in its initial metadata."""
    call().initial["etag"] = view.etag
    return view
