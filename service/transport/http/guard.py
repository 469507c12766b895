"""Who is calling."""

from collections.abc import Awaitable, Callable, Iterable

from service.core.access import Actor
from service.transport.addresses import Callers
from service.transport.credentials import basic_pair, bearer_token
from service.transport.http.requests import Request

Authenticate = Callable[[Actor, str], Awaitable[Actor]]
"""Turns a visitor and the token it shows into the actor; ``AuthService.authenticate``."""


class Guard:
    """Turns requests into actors, for handlers to hand to services."""

    def __init__(self, authenticate: Authenticate, trusted_proxies: Iterable[str] = ()) -> None:
        self._authenticate = authenticate
        self._callers = Callers(trusted_proxies)

    def visitor(self, request: Request) -> Actor:
        """Somebody with an address and no name; what public operations get, whatever was sent."""
        forwarded = request.headers.getall("x-forwarded-for", [])
        address = self._callers.address(request.ip, forwarded)
        agent = request.headers.get("user-agent", "")
        request.actor = visitor = Actor(address=address, agent=agent)
        return visitor

    def client(self, request: Request) -> tuple[str, str] | None:
        """The id and secret of a client that uses HTTP Basic; None when it does not."""
        return basic_pair(request.headers.getall("authorization", []))

    async def actor(self, request: Request) -> Actor:
        """Whoever the bearer token names; a visitor when none was sent.

        Raises:
            InvalidToken: the credentials are malformed, expired or revoked.
            Unavailable: nobody can tell right now whether the token was revoked.
        """
        visitor = self.visitor(request)
        token = bearer_token(request.headers.getall("authorization", []))
        if token is None:
            return visitor
        request.actor = actor = await self._authenticate(visitor, token)
        return actor
