"""People for tests, made quickly by the services themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count
from uuid import UUID

import jwt

from service.app import Services
from service.core.access import SYSTEM, Actor
from service.core.scopes import ROLES_READ, SCOPES
from tests.support.clock import MovingClock

PASSWORD = "correct horse battery"
CALLERS = (
    "anonymous",
    "user",
    "other user",
    "admin",
    "service",
    "suspended",
    "expired",
    "refresh token",
    "api key",
    "narrow api key",
)
"""Everybody who may come to a door, as the table of policies names them."""


@dataclass(frozen=True)
class Person:
    """Somebody with an account, and the tokens of a session."""

    id: str
    email: str
    name: str
    access: str = ""
    refresh: str = ""
    password: str = PASSWORD

    @property
    def session_id(self) -> str:
        """The session that the tokens belong to."""
        return session_of(self.access)


def session_of(access: str) -> str:
    """The session that an access token belongs to."""
    return str(jwt.decode(access, options={"verify_signature": False})["sid"])


class People:
    """Makes accounts and signs them in; each has an address of its own."""

    def __init__(self, services: Services, clock: MovingClock) -> None:
        self._services, self._clock = services, clock
        self._numbers = count()

    def fresh_email(self, name: str = "somebody") -> str:
        return f"{name.lower()}-{next(self._numbers)}@example.com"

    async def make(
        self, name: str = "Ada", *roles: str, email: str = "", password: str = PASSWORD
    ) -> Person:
        """An active account with ``roles`` besides ``user``."""
        email = email or self.fresh_email(name)
        raw: Mapping[str, object] = {"name": name, "email": email, "password": password}
        view = await self._services.users.create(SYSTEM, raw)
        for role in roles:
            await self._services.roles.grant(SYSTEM, view.id, role)
        return Person(view.id, view.email, view.name, password=password)

    async def signed_in(
        self, name: str = "Ada", *roles: str, email: str = "", password: str = PASSWORD
    ) -> Person:
        return await self.sign_in(await self.make(name, *roles, email=email, password=password))

    async def sign_in(self, person: Person) -> Person:
        """The person with the tokens of a new session."""
        raw = {"email": person.email, "password": person.password}
        pair = await self._services.auth.login(Actor(address="192.0.2.1"), raw)
        return replace(person, access=pair.access_token, refresh=pair.refresh_token)

    async def suspended(self, name: str = "Sue") -> Person:
        """Somebody suspended, who holds tokens from before."""
        sue = await self.signed_in(name)
        await self._services.users.set_status(SYSTEM, sue.id, {"status": "suspended"})
        return sue

    async def expired(self, name: str = "Eve") -> Person:
        """Somebody whose access token has expired; the refresh token is still good."""
        with self._clock.earlier(hours=2):
            return await self.signed_in(name)

    async def api_key(self, person: Person, *scopes: str, **more: object) -> str:
        """A key of the person's; without ``scopes`` it has all there are."""
        raw = {"name": "A program", "scopes": list(scopes or SCOPES), **more}
        actor = Actor(UUID(person.id))
        return (await self._services.api_keys.create(actor, person.id, raw)).key

    async def client_secret(self, machine: Person) -> str:
        """A secret of a service account's."""
        made = await self._services.clients.create_secret(SYSTEM, machine.id, {})
        return made.client_secret


@dataclass(frozen=True)
class Cast:
    """Everybody in ``CALLERS``. ``ada`` is *user*: the rows that tests act on are hers.

    The API keys are hers as well; the narrow one is for roles, of which she has nothing to say.
    """

    ada: Person
    tokens: Mapping[str, str | None]

    @classmethod
    async def of(cls, people: People) -> "Cast":
        ada = await people.signed_in("Ada")
        tokens = {
            "anonymous": None,
            "user": ada.access,
            "other user": (await people.signed_in("Bob")).access,
            "admin": (await people.signed_in("Root", "admin")).access,
            "service": (await people.signed_in("Machine", "service")).access,
            "suspended": (await people.suspended()).access,
            "expired": (await people.expired()).access,
            "refresh token": ada.refresh,
            "api key": await people.api_key(ada),
            "narrow api key": await people.api_key(ada, ROLES_READ),
        }
        assert tuple(tokens) == CALLERS
        return cls(ada, tokens)
