"""The REST door over scripted services: what it hands on, and how it puts what comes back."""

import itertools
import socket
import warnings
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import httpx
from sanic import Sanic

from service.api_keys.http import api_keys_blueprint
from service.api_keys.schemas import ApiKeyList, NewApiKeyView
from service.auth.http import auth_blueprint
from service.auth.schemas import ClientToken, Introspection, SessionList, TokenPair
from service.clients.http import clients_blueprint
from service.clients.schemas import ClientSecretList, NewClientSecretView
from service.core.access import Actor
from service.core.errors import InvalidToken
from service.core.paging import Page
from service.orders.http import orders_blueprint
from service.orders.models import OrderStatus
from service.orders.schemas import OrderItemView, OrderView
from service.roles.http import roles_blueprint
from service.roles.schemas import RoleList, RoleView
from service.transport.http.app import make_app
from service.transport.http.docs import docs_blueprint
from service.transport.http.guard import Guard
from service.transport.http.health import health_blueprint
from service.transport.http.limits import HttpLimits
from service.transport.http.requests import App
from service.users.http import users_blueprint
from service.users.models import UserStatus
from service.users.schemas import ProfileView, UserView
from service.webhooks.http import webhooks_blueprint
from service.webhooks.models import WebhookStatus
from service.webhooks.schemas import (
    DeliveryList,
    NewWebhookView,
    ReplayView,
    WebhookList,
    WebhookTestView,
)

with warnings.catch_warnings():
    # sanic-testing still imports the old half of websockets; nothing here uses it.
    warnings.simplefilter("ignore", DeprecationWarning)
    import sanic_testing  # type: ignore[import-untyped]  # noqa: F401  # it ships no types

VERSION = "0.2.0"
ADA = UUID("01900000-0000-7000-8000-00000000ada0")
THEN = datetime(2026, 3, 14, 15, 9, 26, 535897, tzinfo=UTC)
_names = itertools.count()

USER = UserView(
    id=str(ADA),
    email="ada@example.com",
    name="Ada",
    status=UserStatus.ACTIVE,
    email_verified=False,
    roles=["user"],
    created_at=THEN,
    updated_at=THEN,
    version=7,
)
ROLE = RoleView(name="editor", description=None, built_in=False, created_at=THEN)
PAIR = TokenPair(access_token="a.b.c", refresh_token="opaque", expires_in=3600)
CLIENT_TOKEN = ClientToken(access_token="a.b.c", expires_in=3600)
KEY = NewApiKeyView(
    id=str(ADA),
    name="Backup",
    hint="arc_0",
    scopes=["users:read"],
    created_at=THEN,
    expires_at=None,
    last_used_at=None,
    key="arc_012",
)
SECRET = NewClientSecretView(
    id=str(ADA),
    client_id=str(ADA),
    hint="arcs_0",
    created_at=THEN,
    expires_at=None,
    last_used_at=THEN,
    client_secret="arcs_012",
)
ORDER = OrderView(
    id=str(ADA),
    user_id=str(ADA),
    status=OrderStatus.PENDING,
    currency="EUR",
    total="9.00",
    items=[OrderItemView(sku="TEA-1", name="Green tea", quantity=2, unit_price="4.50")],
    created_at=THEN,
    updated_at=THEN,
    version=7,
)
ORDERS: Page[OrderView] = Page(data=[ORDER], page=0, size=10, total=1, total_pages=1)
WEBHOOK = NewWebhookView(
    id=str(ADA),
    url="https://example.com/hooks",
    description="",
    types=["user.*"],
    status=WebhookStatus.FAILING,
    failing_since=THEN,
    error="status 500",
    previous_secret_until=None,
    created_at=THEN,
    updated_at=THEN,
    secret="whsec_012",
    version=7,
)
TESTED = WebhookTestView(
    event_id=str(ADA), taken=False, status=500, duration_ms=3, error="status 500"
)
FIRST_PAGE: Page[UserView] = Page(data=[USER], page=0, size=10, total=1, total_pages=1)


@dataclass
class Call:
    """One call of a service method."""

    method: str
    actor: Actor
    arguments: tuple[Any, ...]
    named: Mapping[str, Any]


@dataclass
class Scripted:
    """A service that answers what it was told to, and remembers what it was asked."""

    answers: dict[str, Any]
    calls: list[Call] = field(default_factory=list)
    fails_with: BaseException | None = None

    def __getattr__(self, name: str) -> Any:
        if name not in self.answers:
            raise AttributeError(name)

        async def method(actor: Actor, *arguments: Any, **named: Any) -> Any:
            self.calls.append(Call(name, actor, arguments, named))
            if self.fails_with is not None:
                raise self.fails_with
            return self.answers[name]

        return method

    @property
    def last(self) -> Call:
        return self.calls[-1]


@dataclass
class Door:
    """An application over scripted services, where one bearer token is good: ``good``."""

    cors_origins: Sequence[str] = ()
    trusted_proxies: Sequence[str] = ()
    limits: HttpLimits | None = None
    ready: dict[str, bool] = field(default_factory=lambda: {"database": True, "cache": True})
    roles_held: frozenset[str] = frozenset({"user"})

    def __post_init__(self) -> None:
        self.users = Scripted(
            {
                "list": FIRST_PAGE,
                **dict.fromkeys(("create", "get", "update", "set_status"), USER),
                **dict.fromkeys(
                    ("profile", "update_profile"), ProfileView(user_id=USER.id, version=7)
                ),
                **dict.fromkeys(("delete", "change_password")),
            }
        )
        self.auth = Scripted(
            {
                **dict.fromkeys(("register", "who_am_i"), USER),
                **dict.fromkeys(("login", "refresh"), PAIR),
                "issue_token": CLIENT_TOKEN,
                "logout": None,
                "introspect": Introspection(active=False),
            }
        )
        self.sessions = Scripted(
            {"list": SessionList(data=[], more=False)} | dict.fromkeys(("end", "end_others"))
        )
        self.roles = Scripted(
            {"list": RoleList(data=[ROLE]), "create": ROLE}
            | dict.fromkeys(("delete", "grant", "revoke"))
        )
        self._script_programs_and_orders()
        self.connections: set[Any] = set()
        self.app = self._make()

    def _script_programs_and_orders(self) -> None:
        self.api_keys = Scripted({"create": KEY, "list": ApiKeyList(data=[KEY]), "revoke": None})
        self.clients = Scripted(
            {
                "create_secret": SECRET,
                "list_secrets": ClientSecretList(data=[SECRET]),
                "revoke_secret": None,
            }
        )
        self.orders = Scripted(
            dict.fromkeys(("create", "get", "pay", "ship", "deliver", "cancel"), ORDER)
            | {"list": ORDERS}
        )
        self.webhooks = Scripted(
            {
                **dict.fromkeys(("create", "get", "update", "rotate"), WEBHOOK),
                "list": WebhookList(data=[WEBHOOK]),
                "delete": None,
                "test": TESTED,
                "deliveries": DeliveryList(data=[], next_after=None),
                "replay": ReplayView(replayed=2, next_position=None),
            }
        )

    def _make(self) -> App:
        name = f"door{next(_names)}"
        app = make_app(name, cors_origins=self.cors_origins, limits=self.limits)
        guard = Guard(self._authenticate, self.trusted_proxies)
        app.blueprint(users_blueprint(cast(Any, self.users), guard))
        app.blueprint(auth_blueprint(cast(Any, self.auth), cast(Any, self.sessions), guard))
        app.blueprint(roles_blueprint(cast(Any, self.roles), guard))
        app.blueprint(api_keys_blueprint(cast(Any, self.api_keys), guard))
        app.blueprint(clients_blueprint(cast(Any, self.clients), guard))
        app.blueprint(orders_blueprint(cast(Any, self.orders), guard))
        app.blueprint(webhooks_blueprint(cast(Any, self.webhooks), guard))
        app.blueprint(health_blueprint(self._readiness, guard))
        app.blueprint(docs_blueprint(VERSION))
        return app

    async def _authenticate(self, visitor: Actor, token: str) -> Actor:
        if token != "good":
            raise InvalidToken
        return Actor(ADA, roles=self.roles_held, address=visitor.address)

    async def _readiness(self) -> Mapping[str, bool]:
        return self.ready

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request, in memory."""
        _, response = await self.app.asgi_client.request(method, path, **options)
        assert isinstance(response, httpx.Response)
        response.__class__ = httpx.Response  # sanic-testing's own has a ``json`` that is no method
        return response

    @asynccontextmanager
    async def served(self, **options: Any) -> AsyncIterator[int]:
        """The door on a socket of its own; gives its port. ``options`` are ``create_server``'s."""
        Sanic.test_mode = True  # or a second application in one process can't be optimised
        listening = socket.create_server(("127.0.0.1", 0))
        server: Any = await self.app.create_server(
            sock=listening, return_asyncio_server=True, **options
        )
        self.connections = server.connections
        await server.startup()
        await server.before_start()
        await server.after_start()
        try:
            yield listening.getsockname()[1]
        finally:
            await server.before_stop()
            await server.close()
            for connection in list(server.connections):
                connection.abort()
            await server.after_stop()
            Sanic._app_registry.pop(self.app.name, None)


GOOD = {"Authorization": "Bearer good"}
