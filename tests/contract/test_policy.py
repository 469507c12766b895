"""Who may do what: one table, asked of every route and every gRPC method for every caller."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpclib.reflection.v1 import reflection_grpc, reflection_pb2

from service.core.access import SYSTEM
from service.core.ids import new_id
from tests.support.doors import Answer
from tests.support.live import Live
from tests.support.operations import OPERATIONS
from tests.support.people import CALLERS, PASSWORD, Cast, Person

EVERYONE = frozenset(CALLERS)
SIGNED_IN = frozenset({"user", "other user", "admin", "service"})
SELF_OR_ADMIN = frozenset({"user", "admin"})
ADMIN = frozenset({"admin"})

MAY: Mapping[str, frozenset[str]] = {
    "register": EVERYONE,
    "login": EVERYONE,
    "refresh": EVERYONE,
    "logout": SIGNED_IN,
    "who_am_i": SIGNED_IN,
    "update_me": SIGNED_IN,
    "introspect": frozenset({"admin", "service"}),
    "list_users": ADMIN,
    "stream_users": ADMIN,
    "create_user": ADMIN,
    "get_user": SELF_OR_ADMIN,
    "update_user": SELF_OR_ADMIN,
    "set_user_status": ADMIN,
    "delete_user": ADMIN,
    "get_profile": SELF_OR_ADMIN,
    "update_profile": SELF_OR_ADMIN,
    "list_roles": ADMIN,
    "create_role": ADMIN,
    "delete_role": ADMIN,
    "grant_role": ADMIN,
    "revoke_role": ADMIN,
}
"""Who gets through, of those in ``CALLERS``. Rows are the user's own; nobody else's."""

REFUSED = {"anonymous": "missing_token"} | dict.fromkeys(
    ("suspended", "expired", "refresh token"), "invalid_token"
)
"""What the others are told; whoever is not named here is ``forbidden``."""

OPEN_ROUTES = frozenset({"/health", "/health/live", "/health/ready", "/docs", "/docs/openapi.json"})
"""Outside the API and for everybody, whatever they send."""

INFRASTRUCTURE = ("grpc.health.v1.Health", "grpc.reflection.")


@dataclass(frozen=True)
class World:
    """Whom an operation is about, for its arguments."""

    target: Person
    live: Live

    def email(self) -> str:
        return self.live.people.fresh_email()

    def word(self) -> str:
        return f"role-{new_id()}"


ARGUMENTS: Mapping[str, Callable[[World], dict[str, Any]]] = {
    "register": lambda w: {"name": "New", "email": w.email(), "password": PASSWORD},
    "login": lambda w: {"email": w.target.email, "password": PASSWORD},
    "refresh": lambda w: {"refresh_token": w.target.refresh},
    "update_me": lambda _: {"name": "Changed"},
    "introspect": lambda w: {"token": w.target.access},
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
}

NONSENSE: Mapping[str, Any] = {
    "id": "nonexistent-id",
    "user_id": "nonexistent-id",
    "name": "\x00",
    "email": "",
    "password": "",
    "status": "",
    "bio": "\x00",
    "token": "",
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
    return "ok" if caller in MAY[operation] else REFUSED.get(caller, "forbidden")


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("way", WAYS, ids=str)
async def test_the_table_of_policies(way: Way, caller: str, running: Live, everybody: Cast) -> None:
    expected = _expected(way.operation, caller)
    token, target = everybody.tokens[caller], everybody.ada
    if expected == "ok":
        target = await _fresh(running, "user")
        if caller == "user":
            token = target.access
        elif caller in SIGNED_IN:
            token = (await _fresh(running, caller)).access
    if way.operation == "delete_role" and expected == "ok":
        await _spare_role(running)
    arguments = _arguments(way.operation, World(target, running))
    assert (await way.walk(running, token, arguments)).outcome == expected
    if expected != "ok":
        nonsense = {name: NONSENSE[name] for name in arguments}
        assert (await way.walk(running, token, nonsense)).outcome == expected


def _arguments(operation: str, world: World) -> dict[str, Any]:
    return ARGUMENTS[operation](world) if operation in ARGUMENTS else {}


async def _spare_role(live: Live) -> None:
    known = {role.name for role in (await live.services.roles.list(SYSTEM)).data}
    if "spare" not in known:
        await live.services.roles.create(SYSTEM, {"name": "spare"})


async def test_refused_callers_changed_nothing(running: Live, everybody: Cast) -> None:
    answer = await running.rest.call("who_am_i", bearer=everybody.ada.access)
    assert (answer.body["name"], answer.body["roles"]) == ("Ada", ["user"])


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("path", sorted(OPEN_ROUTES))
async def test_health_and_docs_are_open_to_all(
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
