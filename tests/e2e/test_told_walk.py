"""Orders by curl and by grpcio, through every state, and everybody who is told of each step."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from arcana_protos.client import ArcanaClient
from redis.asyncio import Redis

from service.orders.models import OrderStatus
from service.orders.states import ways_on
from tests.support.backends import why_absent
from tests.support.caches import own_redis
from tests.support.databases import fresh_database
from tests.support.doors import Door, grpcio_door
from tests.support.mailboxes import Mailbox, mailbox
from tests.support.orders import ORDER
from tests.support.processes import SECRET
from tests.support.receivers import Receiver, receiving
from tests.support.served import ADMIN, PASSWORD, served
from tests.support.working import working

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.backend("postgres")]

STREAM = "walk:events"
EMAIL = "ada@example.com"
WAYS = {"pay": "paid", "ship": "shipped", "deliver": "delivered", "cancel": "cancelled"}
MAILS = {
    "paid": "We received your payment",
    "shipped": "Your order is on its way",
    "delivered": "Your order was delivered",
    "cancelled": "Your order was cancelled",
}


@dataclass
class Curl:
    """REST by curl."""

    port: int
    token: str = ""

    async def __call__(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """The status, and the answer's JSON."""
        words = ["curl", "--silent", "--max-time", "20", "-X", method, "-w", "\n%{http_code}"]
        if self.token:
            words += ["-H", f"Authorization: Bearer {self.token}"]
        if body is not None:
            words += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        process = await asyncio.create_subprocess_exec(
            *words,
            f"http://127.0.0.1:{self.port}/api/v1{path}",
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate()
        answer, _, status = said.decode().rpartition("\n")
        return int(status), json.loads(answer) if answer else {}


@dataclass
class Walk:
    """A service with its worker, and all who listen. ``wanted`` is what was done, in order."""

    curl: Curl
    rpc: Door
    rpc_port: int
    redis: Redis
    receiver: Receiver
    box: Mailbox
    secret: str = ""
    user_id: str = ""
    wanted: dict[str, list[str]] = field(default_factory=dict)

    def of_stream(self, entries: Any) -> dict[str, list[str]]:
        return _by_order([json.loads(fields[b"event"]) for _, fields in entries])

    def of_webhook(self) -> dict[str, list[str]]:
        assert all(each.is_signed_by(self.secret) for each in self.receiver.received)
        return _by_order([each.event for each in self.receiver.received])

    async def all_are_told(self) -> None:
        async with asyncio.timeout(40):
            while self.of_stream(await self.redis.xrange(STREAM)) != self.wanted:
                await asyncio.sleep(0.1)
            while self.of_webhook() != self.wanted:
                await asyncio.sleep(0.1)
            mails = [MAILS[step] for steps in self.wanted.values() for step in steps[1:]]
            while sorted(self._subjects()) != sorted([*mails, "Welcome to Arcana"]):
                await asyncio.sleep(0.1)

    def _subjects(self) -> list[str]:
        mine = [each for each in self.box.envelopes if each.rcpt_tos == [EMAIL]]
        return [str(self.box.read(each)["Subject"]) for each in mine]


def _by_order(events: list[dict[str, Any]]) -> dict[str, list[str]]:
    """The states of each order, as they were told."""
    found: dict[str, list[str]] = {}
    for event in events:
        if matched := re.fullmatch(r"arcana\.order\.([a-z]+)", event["type"]):
            found.setdefault(event["data"]["id"], []).append(matched[1])
    return found


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    if absence := why_absent("postgres"):
        pytest.skip(absence)
    with fresh_database("postgres") as url:
        yield url


@pytest_asyncio.fixture(scope="module")
async def walk(url: str) -> AsyncIterator[Walk]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(own_redis())
        receiver = await stack.enter_async_context(receiving())
        box = await stack.enter_async_context(mailbox())
        settings = {
            "JWT_SECRET": SECRET,
            "REDIS_URL": server.url,
            "EVENT_STREAM": STREAM,
            "WEBHOOK_HOSTS": "127.0.0.1",
            "SMTP_URL": f"smtp://127.0.0.1:{box.port}",
            "MAIL_FROM": "no-reply@example.com",
            "PUBLIC_URL": "https://accounts.example.com",
        }
        service = await stack.enter_async_context(served(url, **settings))
        await stack.enter_async_context(working({**settings, "DATABASE_URL": url}))
        redis = Redis.from_url(server.url)
        stack.push_async_callback(redis.aclose)
        rpc = await stack.enter_async_context(grpcio_door(service.rpc_port))
        curl = Curl(service.http_port)
        found = Walk(curl, rpc, service.rpc_port, redis, receiver, box)
        _, pair = await curl("POST", "/auth/login", {"email": ADMIN, "password": PASSWORD})
        curl.token = pair["access_token"]
        status, hook = await curl("POST", "/webhooks", {"url": receiver.url})
        assert status == 201, hook
        found.secret = hook["secret"]
        person = {"name": "Ada", "email": EMAIL, "password": PASSWORD}
        status, user = await curl("POST", "/users", person)
        assert status == 201, user
        found.user_id = user["id"]
        yield found


@pytest.mark.parametrize("way", [("pay", "ship", "deliver"), ("pay", "cancel"), ("cancel",)])
async def test_by_curl(walk: Walk, way: tuple[str, ...]) -> None:
    status, order = await walk.curl("POST", "/orders", {**ORDER, "user_id": walk.user_id})
    assert (status, order["status"], order["total"]) == (201, "pending", "9.00")
    told = walk.wanted.setdefault(order["id"], ["created"])
    for step in (*way, None):
        for wrong in WAYS.keys() - _possible(order["status"]):
            status, refusal = await walk.curl("POST", f"/orders/{order['id']}/{wrong}")
            assert (status, refusal["code"]) == (409, "order_transition"), (order, wrong)
        if step is not None:
            status, order = await walk.curl("POST", f"/orders/{order['id']}/{step}")
            assert (status, order["status"]) == (200, WAYS[step])
            told.append(WAYS[step])
    await walk.all_are_told()


@pytest.mark.parametrize("way", [("pay", "ship", "deliver"), ("pay", "cancel"), ("cancel",)])
async def test_by_grpcio(walk: Walk, way: tuple[str, ...]) -> None:
    async def call(operation: str, **arguments: Any) -> Any:
        return await walk.rpc.call(operation, bearer=walk.curl.token, **arguments)

    order = (await call("create_order", **ORDER, user_id=walk.user_id)).body
    assert (order["status"], order["total"]) == ("pending", "9.00")
    told = walk.wanted.setdefault(order["id"], ["created"])
    for step in (*way, None):
        for wrong in WAYS.keys() - _possible(order["status"]):
            refusal = await call(f"{wrong}_order", id=order["id"])
            assert refusal.outcome == "order_transition", (order, wrong)
        if step is not None:
            order = (await call(f"{step}_order", id=order["id"])).body
            assert order["status"] == WAYS[step]
            told.append(WAYS[step])
    await walk.all_are_told()


async def test_who_watches_is_told_of_users(walk: Walk) -> None:
    async with ArcanaClient("127.0.0.1", walk.rpc_port) as arcana:
        await arcana.log_in(ADMIN, PASSWORD)
        watching = arcana.watch_users(types=["user.*"])
        first = await anext(watching)
        assert first.resume_token
        await walk.curl("PUT", f"/users/{walk.user_id}/status", {"status": "suspended"})
        async with asyncio.timeout(20):
            assert (await _next_event(watching)).type == "user.status_changed"
        await watching.aclose()


async def _next_event(watching: Any) -> Any:
    while True:
        message = await anext(watching)
        if message.kind == "event":
            return message


def _possible(status: str) -> set[str]:
    """The steps that an order of this status can take."""
    return set(ways_on(OrderStatus(status)))
