"""One walk through the whole service by three clients: httpx, grpclib, grpcio by reflection."""

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from arcana_protos.auth import IntrospectRequest, RegisterRequest
from arcana_protos.client import ArcanaClient
from arcana_protos.errors import ArcanaError
from arcana_protos.role import GrantRoleRequest
from arcana_protos.user import (
    DeleteUserRequest,
    GetUserRequest,
    ListUsersRequest,
    SetUserStatusRequest,
    UpdateUserRequest,
)
from betterproto.lib.google.protobuf import Empty

from service.core.ids import new_id
from tests.support.doors import Rest, rest_door
from tests.support.processes import Service

PASSWORD = "correct horse battery"
CLIENT = Path(__file__).with_name("reflecting_walk.py")
HEARD_WITHIN = 5.0
"""Seconds to wait for one client's worker to hear what was done at another's, on a busy machine.

How soon it is, of the second that is promised, is for ``make chaos-revocation`` to measure.
"""


@dataclass(frozen=True)
class Admin:
    """The first admin, as the start made or printed it."""

    email: str
    password: str


def somebody() -> dict[str, Any]:
    """A new account that no other walk has made."""
    email = f"walker-{new_id()}@example.com"
    return {"name": "Wałęsa 渡邊 👩🏽‍💻", "email": email, "password": PASSWORD}


async def walk_with_httpx(service: Service, admin: Admin) -> list[str]:
    """Every token and password of the walk, for whoever looks for them in logs."""
    async with rest_door(service.http_port) as rest:
        plain = await rest.client.get("/health")
        assert plain.json() == {"status": "healthy"}
        assert "alt-svc" not in plain.headers
        assert (await rest.client.get("/docs")).status_code == 200
        assert (await rest.client.get("/docs/openapi.json")).json()["openapi"].startswith("3.1")
        return await _rest_walk(rest, admin)


async def _rest_walk(rest: Rest, admin: Admin) -> list[str]:
    account = somebody()
    made = await rest.call("register", **account)
    user, login = {"id": made.body["id"]}, {"email": account["email"], "password": PASSWORD}
    pair = (await rest.call("login", **login)).body
    own = await rest.call("who_am_i", bearer=pair["access_token"])
    assert own.body == made.body
    entered = {"email": admin.email, "password": admin.password}
    root = (await rest.call("login", **entered)).body
    bearer = root["access_token"]

    found = await rest.call("list_users", bearer=bearer, q=account["email"].upper())
    assert [one["id"] for one in found.body["data"]] == [user["id"]]
    changed = await rest.call("update_user", bearer=pair["access_token"], name="New", **user)
    assert changed.body["name"] == "New"
    fresh = (await rest.call("refresh", refresh_token=pair["refresh_token"])).body
    told = await rest.call("introspect", bearer=bearer, token=fresh["access_token"])
    assert told.body["active"] is True
    assert (await rest.call("list_users", bearer=fresh["access_token"])).outcome == "forbidden"
    assert (await rest.call("register", **account)).outcome == "email_taken"

    await rest.call("set_user_status", bearer=bearer, status="suspended", **user)
    for token in (pair["access_token"], fresh["access_token"]):
        assert (await rest.call("who_am_i", bearer=token)).outcome == "invalid_token"
    assert (await rest.call("login", **login)).outcome == "invalid_credentials"
    assert (await rest.call("delete_user", bearer=bearer, **user)).ok
    assert (await rest.call("get_user", bearer=bearer, **user)).outcome == "user_not_found"
    assert (await rest.call("logout", bearer=bearer)).ok
    assert (await rest.call("who_am_i", bearer=bearer)).outcome == "invalid_token"
    return [*pair.values(), *root.values(), *fresh.values(), account["email"], admin.password]


async def walk_with_grpclib(service: Service, admin: Admin) -> None:
    async with (
        ArcanaClient("127.0.0.1", service.rpc_port) as ada,
        ArcanaClient("127.0.0.1", service.rpc_port) as root,
    ):
        account = somebody()
        made = await ada.auth.register(RegisterRequest(**account))
        await ada.log_in(account["email"], PASSWORD)
        assert await ada.auth.who_am_i(Empty()) == made
        await root.log_in(admin.email, admin.password)
        found = await root.users.list_users(ListUsersRequest(query=account["email"]))
        assert [one.id for one in found.users] == [made.id]
        changed = await ada.users.update_user(UpdateUserRequest(id=made.id, name="New"))
        assert changed.name == "New"
        every = [one.id async for one in root.users.stream_users(ListUsersRequest(size=0))]
        assert made.id in every
        assert every == sorted(every)
        with pytest.raises(ArcanaError) as refused:
            await ada.users.list_users(ListUsersRequest())
        assert refused.value.code == "forbidden"
        before = ada.tokens
        await root.roles.grant_role(GrantRoleRequest(user_id=made.id, name="service"))
        # once its worker has heard, the client trades its refresh token by itself
        async with asyncio.timeout(HEARD_WITHIN):
            while ada.tokens == before:
                assert (await ada.auth.who_am_i(Empty())).id == made.id
                await asyncio.sleep(0.01)
        assert (await ada.auth.who_am_i(Empty())).roles == ["service", "user"]
        assert ada.tokens is not None
        asked = IntrospectRequest(token=ada.tokens.access_token)
        assert (await ada.auth.introspect(asked)).active
        await root.users.set_user_status(SetUserStatusRequest(id=made.id, status="suspended"))
        with pytest.raises(ArcanaError) as barred:
            await _ask_until_refused(ada, made.id)
        assert barred.value.code == "invalid_token"
        await root.users.delete_user(DeleteUserRequest(id=made.id))
        await root.log_out()


async def _ask_until_refused(client: ArcanaClient, user_id: str) -> None:
    """Raises: ArcanaError, TimeoutError: the worker never heard."""
    async with asyncio.timeout(HEARD_WITHIN):
        while await client.users.get_user(GetUserRequest(id=user_id)):
            await asyncio.sleep(0.01)


async def walk_with_grpcio(service: Service, admin: Admin) -> None:
    """By a client that knows only what reflection tells: a program of its own."""
    asked = json.dumps({"account": somebody(), "admin": vars(admin)})
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(CLIENT),
        str(service.rpc_port),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await process.communicate(asked.encode())
    assert process.returncode == 0, told.decode()
    assert told.decode().strip().endswith("walked")


async def walk_with_each(service: Service, admin: Admin) -> list[str]:
    secrets = await walk_with_httpx(service, admin)
    await walk_with_grpclib(service, admin)
    await walk_with_grpcio(service, admin)
    return secrets
