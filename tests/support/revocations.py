"""How long a revoked credential is still taken: every cause, asked at every worker and door."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
from arcana_protos.auth import AuthServiceStub
from betterproto.lib.google.protobuf import Empty
from grpclib import GRPCError
from grpclib.client import Channel
from grpclib.const import Status

from tests.support.served import ADMIN, PASSWORD, Served

PACE = 0.04
"""Seconds between two probes of one place: what a delay is measured to."""
SURE = 3
"""Refusals in a row after which a place is believed to go on refusing."""
PATIENCE = 10.0
_numbers = count()

Probe = Callable[[str], Awaitable[bool]]
"""Whether a token is taken on a new connection."""


@dataclass(frozen=True)
class Place:
    """One worker's door."""

    name: str
    takes: Probe


def places(services: list[Served]) -> list[Place]:
    """Both doors of each service; each is one worker, so that every worker can be named."""
    found = []
    for number, service in enumerate(services, 1):
        found.append(Place(f"worker {number} REST", _http_probe(service.http_port)))
        found.append(Place(f"worker {number} gRPC", _rpc_probe(service.rpc_port)))
    return found


def _http_probe(port: int) -> Probe:
    async def takes(token: str) -> bool:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            head = f"GET /api/v1/auth/me HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n"
            writer.write(f"{head}Connection: close\r\n\r\n".encode())
            status = int((await reader.readline()).split()[1])
        finally:
            writer.close()
        assert status in (200, 401), status
        return status == httpx.codes.OK

    return takes


def _rpc_probe(port: int) -> Probe:
    async def takes(token: str) -> bool:
        async with Channel("127.0.0.1", port) as channel:
            stub = AuthServiceStub(channel, metadata={"authorization": f"Bearer {token}"})
            try:
                await stub.who_am_i(Empty())
            except GRPCError as error:
                if error.status is not Status.UNAUTHENTICATED:
                    raise
                return False
        return True

    return takes


@dataclass
class Holder:
    """Somebody, and what they may lose."""

    id: str
    email: str
    access: str
    refresh: str
    clients: list[httpx.AsyncClient]
    credential: str = ""

    def bearer(self, token: str = "") -> dict[str, str]:
        return {"Authorization": f"Bearer {token or self.access}"}

    async def logged_in(self) -> dict[str, Any]:
        body = {"email": self.email, "password": PASSWORD}
        answer = await self.clients[1].post("/auth/login", json=body)
        return dict(answer.raise_for_status().json())


@dataclass(frozen=True)
class Cause:
    """One way to lose a token: ``revoke`` takes it, after ``prepare`` has set the scene."""

    name: str
    revoke: Callable[["Stage", Holder], Awaitable[httpx.Response]]
    prepare: Callable[["Stage", Holder], Awaitable[None]] | None = None


@dataclass
class Stage:
    """Services over one database, and their admin."""

    clients: list[httpx.AsyncClient]
    places: list[Place]
    delays: dict[str, list[float]] = field(default_factory=dict)

    @property
    def admin(self) -> httpx.AsyncClient:
        return self.clients[0]

    async def holder(self) -> Holder:
        email = f"holder-{next(_numbers)}-{time.monotonic_ns()}@example.com"
        body = {"name": "Holder", "email": email, "password": PASSWORD}
        made = (await self.admin.post("/users", json=body)).raise_for_status().json()
        holder = Holder(made["id"], email, "", "", self.clients)
        pair = await holder.logged_in()
        holder.access, holder.refresh = pair["access_token"], pair["refresh_token"]
        return holder

    async def measure(self, cause: Cause, at_once: int) -> list[float]:
        """How long each of ``at_once`` tokens was still taken, at each place."""
        holders = [await self.holder() for _ in range(at_once)]
        if cause.prepare is not None:
            for holder in holders:
                await cause.prepare(self, holder)
        for holder in holders:
            for place in self.places:
                assert await place.takes(holder.access), (cause.name, place.name)
        found = await asyncio.gather(*(self._one(cause, holder) for holder in holders))
        return [delay for delays in found for delay in delays]

    async def _one(self, cause: Cause, holder: Holder) -> list[float]:
        answer = await cause.revoke(self, holder)
        acknowledged = time.monotonic()
        assert answer.status_code < 300 or cause.name == "reuse", (cause.name, answer.text)
        return await asyncio.gather(
            *(_until_refused(place, holder.access, acknowledged) for place in self.places)
        )


async def _until_refused(place: Place, token: str, acknowledged: float) -> float:
    """Seconds after which the first request was sent that was refused, as all later ones were."""
    refusals, first = 0, 0.0
    while refusals < SURE:
        sent = time.monotonic()
        assert sent - acknowledged < PATIENCE, f"{place.name} still takes it"
        if await place.takes(token):
            refusals = 0
        else:
            first = first if refusals else sent - acknowledged
            refusals += 1
        await asyncio.sleep(PACE)
    return first


@asynccontextmanager
async def stage(services: list[Served]) -> AsyncIterator[Stage]:
    clients = [_client(service) for service in services]
    try:
        for client in clients:
            body = {"email": ADMIN, "password": PASSWORD}
            pair = (await client.post("/auth/login", json=body)).raise_for_status().json()
            client.headers["Authorization"] = f"Bearer {pair['access_token']}"
        yield Stage(clients, places(services))
    finally:
        for client in clients:
            await client.aclose()


def _client(service: Served) -> httpx.AsyncClient:
    base = f"http://127.0.0.1:{service.http_port}/api/v1"
    return httpx.AsyncClient(base_url=base, trust_env=False, timeout=30)


async def _log_out(stage: Stage, holder: Holder) -> httpx.Response:
    return await stage.clients[1].post("/auth/logout", headers=holder.bearer())


async def _log_out_everywhere(stage: Stage, holder: Holder) -> httpx.Response:
    return await stage.clients[1].post("/auth/logout?all=true", headers=holder.bearer())


async def _suspend(stage: Stage, holder: Holder) -> httpx.Response:
    return await stage.admin.put(f"/users/{holder.id}/status", json={"status": "suspended"})


async def _delete(stage: Stage, holder: Holder) -> httpx.Response:
    return await stage.admin.delete(f"/users/{holder.id}")


async def _grant(stage: Stage, holder: Holder) -> httpx.Response:
    return await stage.admin.put(f"/users/{holder.id}/roles/service")


async def _log_in_again(stage: Stage, holder: Holder) -> None:
    """From here on somebody else's session may take the holder's."""
    holder.credential = (await holder.logged_in())["access_token"]


async def _change_password(stage: Stage, holder: Holder) -> httpx.Response:
    body = {"current_password": PASSWORD, "password": f"another {PASSWORD}"}
    headers = holder.bearer(holder.credential)
    return await stage.clients[1].put(f"/users/{holder.id}/password", json=body, headers=headers)


async def _end_session(stage: Stage, holder: Holder) -> httpx.Response:
    path = f"/users/{holder.id}/sessions/{_session(holder.access)}"
    return await stage.clients[1].delete(path, headers=holder.bearer(holder.credential))


async def _end_others(stage: Stage, holder: Holder) -> httpx.Response:
    headers = holder.bearer(holder.credential)
    return await stage.clients[1].delete(f"/users/{holder.id}/sessions", headers=headers)


def _session(access: str) -> str:
    payload = access.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sid"])


async def _refresh_twice(stage: Stage, holder: Holder) -> None:
    presented = holder.refresh
    for _ in range(2):
        body = {"refresh_token": presented}
        answer = await stage.clients[1].post("/auth/refresh", json=body)
        presented = answer.raise_for_status().json()["refresh_token"]


async def _replay(stage: Stage, holder: Holder) -> httpx.Response:
    body = {"refresh_token": holder.refresh}
    answer = await stage.clients[1].post("/auth/refresh", json=body)
    assert answer.status_code == httpx.codes.UNAUTHORIZED, answer.text
    return answer


async def _take_a_key(stage: Stage, holder: Holder) -> None:
    """From here on what the holder may lose is an API key."""
    body = {"name": "Program", "scopes": ["users:read"]}
    answer = await stage.clients[1].post(
        f"/users/{holder.id}/api-keys", json=body, headers=holder.bearer()
    )
    holder.access, holder.credential = answer.raise_for_status().json()["key"], answer.json()["id"]


async def _revoke_key(stage: Stage, holder: Holder) -> httpx.Response:
    return await stage.admin.delete(f"/users/{holder.id}/api-keys/{holder.credential}")


async def _become_a_machine(stage: Stage, holder: Holder) -> None:
    """From here on what the holder may lose is a service account's token."""
    (await _grant(stage, holder)).raise_for_status()
    made = await stage.admin.post(f"/users/{holder.id}/client-secrets")
    secret = made.raise_for_status().json()
    holder.credential = secret["id"]
    form = {"grant_type": "client_credentials"}
    pair = (holder.id, secret["client_secret"])
    answer = await stage.clients[1].post("/auth/token", data=form, auth=pair)
    holder.access = answer.raise_for_status().json()["access_token"]


async def _revoke_secret(stage: Stage, holder: Holder) -> httpx.Response:
    return await stage.admin.delete(f"/users/{holder.id}/client-secrets/{holder.credential}")


CAUSES = [
    Cause("log-out", _log_out),
    Cause("log-out of all", _log_out_everywhere),
    Cause("suspension", _suspend),
    Cause("deletion", _delete),
    Cause("role granted", _grant),
    Cause("password changed", _change_password, _log_in_again),
    Cause("session ended", _end_session, _log_in_again),
    Cause("others ended", _end_others, _log_in_again),
    Cause("reuse", _replay, _refresh_twice),
    Cause("key revoked", _revoke_key, _take_a_key),
    Cause("key's owner suspended", _suspend, _take_a_key),
    Cause("client secret revoked", _revoke_secret, _become_a_machine),
]
