"""Who may do what: one table, asked of every route and every gRPC method for every caller."""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpclib.reflection.v1 import reflection_grpc, reflection_pb2

from service.core.access import SYSTEM, Actor
from service.core.ids import new_id
from tests.support.doors import Answer
from tests.support.live import Live
from tests.support.notices import notified
from tests.support.operations import OPERATIONS
from tests.support.orders import ORDER
from tests.support.people import CALLERS, PASSWORD, Cast, Person

EVERYONE = frozenset(CALLERS)
SIGNED_IN = frozenset({"user", "other user", "admin", "service"})
SELF_OR_ADMIN = frozenset({"user", "admin"})
ADMIN = frozenset({"admin"})
BY_KEY = frozenset({"api key"})

MAY: Mapping[str, frozenset[str]] = {
    "register": EVERYONE,
    "login": EVERYONE,
    "refresh": EVERYONE,
    "issue_token": EVERYONE,
    "logout": SIGNED_IN,
    "who_am_i": SIGNED_IN | BY_KEY,
    "update_me": SIGNED_IN | BY_KEY,
    "introspect": frozenset({"admin", "service"}),
    "list_sessions": SELF_OR_ADMIN,
    "revoke_session": SELF_OR_ADMIN,
    "revoke_other_sessions": SELF_OR_ADMIN,
    "change_password": frozenset({"user"}),
    "list_users": ADMIN,
    "stream_users": ADMIN,
    "watch_users": frozenset({"admin", "service"}),
    "create_user": ADMIN,
    "get_user": SELF_OR_ADMIN | BY_KEY,
    "update_user": SELF_OR_ADMIN | BY_KEY,
    "set_user_status": ADMIN,
    "delete_user": ADMIN,
    "get_profile": SELF_OR_ADMIN | BY_KEY,
    "update_profile": SELF_OR_ADMIN | BY_KEY,
    "list_roles": ADMIN,
    "create_role": ADMIN,
    "delete_role": ADMIN,
    "grant_role": ADMIN,
    "revoke_role": ADMIN,
    "create_api_key": frozenset({"user"}),
    "list_api_keys": SELF_OR_ADMIN,
    "revoke_api_key": SELF_OR_ADMIN,
    "create_client_secret": ADMIN,
    "list_client_secrets": ADMIN,
    "revoke_client_secret": ADMIN,
    "create_order": SIGNED_IN | BY_KEY,
    "list_orders": SIGNED_IN | BY_KEY,
    "stream_orders": SIGNED_IN | BY_KEY,
    "get_order": SELF_OR_ADMIN | BY_KEY,
    "pay_order": SELF_OR_ADMIN | BY_KEY,
    "ship_order": ADMIN,
    "deliver_order": ADMIN,
    "cancel_order": SELF_OR_ADMIN | BY_KEY,
    "list_notifications": SELF_OR_ADMIN | BY_KEY,
    "count_unread": SELF_OR_ADMIN | BY_KEY,
    "mark_notification_read": frozenset({"user"}) | BY_KEY,
    "mark_all_notifications_read": frozenset({"user"}) | BY_KEY,
    "delete_notification": frozenset({"user"}) | BY_KEY,
    "create_webhook": ADMIN,
    "get_webhook": ADMIN,
    "list_webhooks": ADMIN,
    "update_webhook": ADMIN,
    "delete_webhook": ADMIN,
    "rotate_webhook_secret": ADMIN,
    "test_webhook": ADMIN,
    "list_webhook_deliveries": ADMIN,
    "replay_webhook": ADMIN,
}
"""Who gets through, of those in ``CALLERS``. Rows are the user's own; nobody else's."""

REFUSED = {"anonymous": "missing_token"} | dict.fromkeys(
    ("suspended", "expired", "refresh token"), "invalid_token"
)
"""What the others are told; whoever is not named here is ``forbidden``.

A key is told ``insufficient_scope`` of all that it does not reach, whatever its owner may do.
"""

CLOSED_TO_KEYS = frozenset({"logout", *(name for name in OPERATIONS if "_api_key" in name)})
CLOSED_TO_KEYS |= {name for name in OPERATIONS if "_client_secret" in name}
CLOSED_TO_KEYS |= {"create_webhook", "rotate_webhook_secret"}
CLOSED_TO_KEYS |= {name for name in OPERATIONS if "session" in name or "password" in name}
REACH: Mapping[str, frozenset[str]] = {
    "api key": frozenset(OPERATIONS) - CLOSED_TO_KEYS,
    "narrow api key": frozenset({"list_roles"}),
}

OF_MACHINES = frozenset(
    {"issue_token", "create_client_secret", "list_client_secrets", "revoke_client_secret"}
)
"""What is about a service account."""

OF_ORDERS: Mapping[str, tuple[str, ...]] = {
    "get_order": (),
    "pay_order": (),
    "ship_order": ("pay",),
    "deliver_order": ("pay", "ship"),
    "cancel_order": (),
}
"""What is about one order, and what has to be done with it before.

Only the row tells whose it is, so who is refused is asked about a real one besides none at all.
"""

OPEN_ROUTES = frozenset(
    {
        *("/health", "/health/live", "/health/ready"),
        *("/docs", "/docs/openapi.json"),
        "/.well-known/jwks.json",
    }
)
"""Outside the API and for everybody, whatever they send."""

INFRASTRUCTURE = ("grpc.health.v1.Health", "grpc.reflection.")


@dataclass(frozen=True)
class World:
    """Whom an operation is about, for its arguments."""

    target: Person
    live: Live
    secret: str = ""
    thing: str = "nothing"

    def email(self) -> str:
        return self.live.people.fresh_email()

    def word(self) -> str:
        return f"role-{new_id()}"

    async def api_key(self) -> str:
        """The id of a new API key, the target's only one."""
        await self.live.people.api_key(self.target)
        (key,) = (await self.live.services.api_keys.list(SYSTEM, self.target.id)).data
        return key.id

    async def own(self, nouns: str, **raw: Any) -> str:
        """The id of a new row of the target's, of a noun that people make for themselves."""
        made = await getattr(self.live.services, nouns).create(Actor(UUID(self.target.id)), raw)
        return str(made.id)


ARGUMENTS: Mapping[str, Callable[[World], dict[str, Any]]] = {
    "register": lambda w: {"name": "New", "email": w.email(), "password": PASSWORD},
    "login": lambda w: {"email": w.target.email, "password": PASSWORD},
    "refresh": lambda w: {"refresh_token": w.target.refresh},
    "issue_token": lambda w: {"client_id": w.target.id, "client_secret": w.secret},
    "update_me": lambda _: {"name": "Changed"},
    "introspect": lambda w: {"token": w.target.access},
    "list_sessions": lambda w: {"user_id": w.target.id},
    "revoke_session": lambda w: {"user_id": w.target.id, "session_id": w.target.session_id},
    "revoke_other_sessions": lambda w: {"user_id": w.target.id},
    "change_password": lambda w: {
        "user_id": w.target.id,
        "current_password": PASSWORD,
        "password": f"{PASSWORD} staple",
    },
    "watch_users": lambda _: {"types": ["session.*"]},
    "create_user": lambda w: {"name": "New", "email": w.email(), "password": PASSWORD},
    "get_user": lambda w: {"id": w.target.id},
    "update_user": lambda w: {"id": w.target.id, "name": "Changed"},
    "set_user_status": lambda w: {"id": w.target.id, "status": "inactive"},
    "delete_user": lambda w: {"id": w.target.id},
    "get_profile": lambda w: {"id": w.target.id},
    "update_profile": lambda w: {"id": w.target.id, "bio": "Changed"},
    "create_role": lambda w: {"name": w.word()},
    "delete_role": lambda _: {"name": "spare"},
    "grant_role": lambda w: {"user_id": w.target.id, "name": "service"},
    "revoke_role": lambda w: {"user_id": w.target.id, "name": "service"},
    "create_api_key": lambda w: {
        "user_id": w.target.id,
        "name": "A program",
        "scopes": ["users:read"],
    },
    "list_api_keys": lambda w: {"user_id": w.target.id},
    "revoke_api_key": lambda w: {"user_id": w.target.id, "key_id": w.thing},
    "create_client_secret": lambda w: {"user_id": w.target.id, "expires_in_days": 30},
    "list_client_secrets": lambda w: {"user_id": w.target.id},
    "revoke_client_secret": lambda w: {"user_id": w.target.id, "secret_id": w.thing},
    "create_order": lambda _: dict(ORDER),
    **dict.fromkeys(OF_ORDERS, lambda w: {"id": w.thing}),
    "list_notifications": lambda w: {"user_id": w.target.id, "size": 5},
    "count_unread": lambda w: {"user_id": w.target.id},
    "mark_notification_read": lambda w: {"user_id": w.target.id, "notification_id": w.thing},
    "mark_all_notifications_read": lambda w: {"user_id": w.target.id},
    "delete_notification": lambda w: {"user_id": w.target.id, "notification_id": w.thing},
    "create_webhook": lambda _: {"url": "https://hooks.invalid/"},
    "get_webhook": lambda w: {"webhook_id": w.thing},
    "update_webhook": lambda w: {"webhook_id": w.thing, "description": "Changed"},
    "delete_webhook": lambda w: {"webhook_id": w.thing},
    "rotate_webhook_secret": lambda w: {"webhook_id": w.thing, "overlap_hours": 1},
    "test_webhook": lambda w: {"webhook_id": w.thing},
    "list_webhook_deliveries": lambda w: {"webhook_id": w.thing, "size": 5},
    "replay_webhook": lambda w: {"webhook_id": w.thing, "from_position": 1},
}

THINGS: Mapping[str, Callable[[World], Awaitable[str]]] = {
    "revoke_api_key": lambda w: w.api_key(),
}
"""What has to be there for the allowed, and its id: ``thing`` in their arguments."""

NONSENSE: Mapping[str, Any] = {
    "id": "nonexistent-id",
    "user_id": "nonexistent-id",
    "session_id": "nonexistent-id",
    "current_password": "",
    "name": "\x00",
    "email": "",
    "password": "",
    "status": "",
    "bio": "\x00",
    "token": "",
    "scopes": ["nonsense"],
    "types": ["nonsense"],
    "key_id": "nonexistent-id",
    "secret_id": "nonexistent-id",
    "notification_id": "nonexistent-id",
    "size": -1,
    "expires_in_days": -1,
    "currency": "",
    "items": [],
    "webhook_id": "nonexistent-id",
    "url": "ftp://nowhere",
    "description": "\x00",
    "overlap_hours": -1,
    "from_position": -1,
}
"""Arguments that no rule accepts: a refused caller must not hear about them."""


@dataclass(frozen=True)
class Way:
    """One route or one gRPC method, and the operation behind it."""

    operation: str
    door: str
    address: str

    def __str__(self) -> str:
        return self.address

    async def walk(self, live: Live, token: str | None, arguments: Mapping[str, Any]) -> Answer:
        if self.door == "grpc":
            return await live.rpc.call(self.operation, bearer=token, **arguments)
        return await live.rest.call(self.operation, bearer=token, route=self.address, **arguments)


WAYS = [
    *(Way(o.name, "rest", route) for o in OPERATIONS.values() for route in o.routes),
    *(Way(o.name, "grpc", o.rpc) for o in OPERATIONS.values() if o.rpc),
]


@pytest_asyncio.fixture(scope="module")
async def everybody(running: Live) -> Cast:
    """One of each caller, for all tests of this module: who is refused changes nothing."""
    await running.reset()
    return await Cast.of(running.people)


async def _fresh(live: Live, caller: str) -> Person:
    """A new person of that kind: what is allowed may change or delete them."""
    roles = {"admin": ["admin"], "service": ["service"]}.get(caller, [])
    return await live.people.signed_in("Fresh", *roles)


def _expected(operation: str, caller: str) -> str:
    if caller in MAY[operation]:
        return "ok"
    if caller in REACH and operation not in REACH[caller]:
        return "insufficient_scope"
    return REFUSED.get(caller, "forbidden")


def _rows() -> Iterator[Any]:
    """Every caller at every way in. A refusal that needs no row is decided before any database."""
    for way in WAYS:
        for caller in CALLERS:
            needs_none = _expected(way.operation, caller) != "ok" and way.operation not in OF_ORDERS
            marks = [pytest.mark.one_database] if needs_none else []
            yield pytest.param(way, caller, id=f"{way}-{caller}", marks=marks)


@pytest.mark.parametrize(("way", "caller"), [*_rows()])
async def test_the_table_of_policies(way: Way, caller: str, running: Live, everybody: Cast) -> None:
    expected = _expected(way.operation, caller)
    token, target = everybody.tokens[caller], everybody.ada
    if expected == "ok":
        target = await _fresh(running, "service" if way.operation in OF_MACHINES else "user")
        if caller == "user":
            token = target.access
        elif caller in REACH:
            token = await running.people.api_key(target)
        elif caller in SIGNED_IN:
            token = (await _fresh(running, caller)).access
    if way.operation == "delete_role" and expected == "ok":
        await _spare_role(running)
    world = World(target, running)
    if expected == "ok" or way.operation in OF_ORDERS:
        world = await _furnished(world, way.operation)
    arguments = _arguments(way.operation, world)
    assert (await way.walk(running, token, arguments)).outcome == expected
    if expected != "ok":
        nonsense = {name: NONSENSE[name] for name in arguments}
        assert (await way.walk(running, token, nonsense)).outcome == expected


def _arguments(operation: str, world: World) -> dict[str, Any]:
    return ARGUMENTS[operation](world) if operation in ARGUMENTS else {}


async def _furnished(world: World, operation: str) -> World:
    """The world with what the operation needs to be there."""
    people, services = world.live.people, world.live.services
    if operation in THINGS:
        return replace(world, thing=await THINGS[operation](world))
    if operation in OF_ORDERS:
        order = await services.orders.create(SYSTEM, {**ORDER, "user_id": world.target.id})
        for step in OF_ORDERS[operation]:
            await getattr(services.orders, step)(SYSTEM, order.id)
        return replace(world, thing=order.id)
    if operation in ("mark_notification_read", "delete_notification"):
        return replace(world, thing=str(await notified(world.target)))
    if operation in ("issue_token", "revoke_client_secret"):
        secret = await people.client_secret(world.target)
        (known,) = (await services.clients.list_secrets(SYSTEM, world.target.id)).data
        return replace(world, secret=secret, thing=known.id)
    if "webhook" in operation and operation not in ("create_webhook", "list_webhooks"):
        made = await services.webhooks.create(SYSTEM, {"url": "https://hooks.invalid/"})
        return replace(world, thing=made.id)
    return world


async def _spare_role(live: Live) -> None:
    known = {role.name for role in (await live.services.roles.list(SYSTEM)).data}
    if "spare" not in known:
        await live.services.roles.create(SYSTEM, {"name": "spare"})


async def test_refused_callers_changed_nothing(running: Live, everybody: Cast) -> None:
    answer = await running.rest.call("who_am_i", bearer=everybody.ada.access)
    assert (answer.body["name"], answer.body["roles"]) == ("Ada", ["user"])


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("path", sorted(OPEN_ROUTES))
async def test_health_docs_and_public_keys_are_open_to_all(
    path: str, caller: str, running: Live, everybody: Cast
) -> None:
    token = everybody.tokens[caller]
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    answer = await running.rest.client.get(path, headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize("header", ["Bearer nonsense", "Basic YTpi", "Bearer", ".", "Bearer a b"])
@pytest.mark.parametrize("operation", ["register", "login", "refresh"])
async def test_public_operations_never_look_at_the_authorization_header(
    operation: str, header: str, running: Live, everybody: Cast
) -> None:
    del everybody
    target = await _fresh(running, "user")
    for door in (running.rest, running.rpc):
        arguments = ARGUMENTS[operation](World(target, running))
        answer = await door.call(operation, headers={"authorization": header}, **arguments)
        assert answer.outcome == "ok"


def test_every_operation_has_a_row_and_every_row_an_operation() -> None:
    assert MAY.keys() == OPERATIONS.keys()


async def test_every_registered_route_is_in_the_table(running: Live) -> None:
    registered = {
        f"{method} {_bare(route.path)}"
        for route in running.app.router.routes
        for method in route.methods - {"HEAD", "OPTIONS"}
    }
    tabled = {_bare(route) for o in OPERATIONS.values() for route in o.routes}
    loose = {f"GET {path}" for path in OPEN_ROUTES}
    assets = {route for route in registered if route.startswith("GET /docs/")}
    assert registered - assets == (tabled | loose) - assets


def _bare(path: str) -> str:
    bare = re.sub(r"<[^>]*>|\{[^}]*\}", "*", path)
    return bare if " " in bare else f"/{bare.lstrip('/')}"


async def test_every_grpc_method_is_in_the_table(running: Live) -> None:
    served = {
        f"/{service}/{method}"
        for service in await _services(running)
        if not service.startswith(INFRASTRUCTURE)
        for method in await _methods(running, service)
    }
    assert served == {o.rpc for o in OPERATIONS.values() if o.rpc}


async def _services(live: Live) -> list[str]:
    request = reflection_pb2.ServerReflectionRequest(list_services="*")
    answer = await _reflected(live, request)
    return [service.name for service in answer.list_services_response.service]


async def _methods(live: Live, service: str) -> list[str]:
    request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=service)
    answer = await _reflected(live, request)
    files = map(
        FileDescriptorProto.FromString, answer.file_descriptor_response.file_descriptor_proto
    )
    return [
        method.name
        for file in files
        for one in file.service
        if f"{file.package}.{one.name}" == service
        for method in one.method
    ]


async def _reflected(live: Live, request: Any) -> Any:
    make: Any = reflection_grpc.ServerReflectionStub  # it has no types
    stub = make(live.rpc.channel)
    (answer,) = await stub.ServerReflectionInfo([request])
    return answer
