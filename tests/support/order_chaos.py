"""Orders that are made twice, and orders that two clients pull at, at two workers."""

import asyncio
import itertools
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.support.caches import REDIS_URL
from tests.support.doors import Answer, Door, rest_door, rpc_door
from tests.support.served import ADMIN, PASSWORD, served

CLIENTS = 20
"""Half of them at each door, each with connections of its own."""
TRIES = 50
"""How often a client comes back that is told to: as long as it knows the key, it may."""


@dataclass(frozen=True)
class Shop:
    """A service of two workers; ``bearer`` is an admin's token."""

    doors: list[Door]
    bearer: str

    async def call(self, door: Door, operation: str, **arguments: Any) -> Answer:
        return await door.call(operation, bearer=self.bearer, **arguments)


@dataclass
class Twins:
    """What became of creations that were each sent twice under one key.

    ``busy`` are the answers that there is no room for now: the client then sends it again.
    """

    creations: int
    busy: int = 0
    orders: int = 0
    same: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass
class Duels:
    """What became of orders that one client pays and another cancels at once.

    ``in_turn`` are those that were paid before the canceller was heard at all: it then called a
    paid order off, as anybody may. They are no duels, and others are fought instead.
    """

    rounds: int = 0
    won: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    in_turn: int = 0
    faults: list[str] = field(default_factory=list)


@asynccontextmanager
async def shop(database_url: str) -> AsyncIterator[Shop]:
    settings = {"WORKERS": "2", "REDIS_URL": REDIS_URL, "DB_POOL_SIZE": "10"}
    settings["CACHE_PREFIX"] = f"test-{secrets.token_hex(8)}:"
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(served(database_url, **settings))
        doors: list[Door] = []
        for _ in range(CLIENTS // 2):
            doors.append(await stack.enter_async_context(rest_door(service.http_port)))
            doors.append(await stack.enter_async_context(rpc_door(service.rpc_port)))
        entered = await doors[0].call("login", email=ADMIN, password=PASSWORD)
        yield Shop(doors, entered.body["access_token"])


def _order(number: int) -> dict[str, Any]:
    line = {"sku": f"TEA-{number}", "name": "Tea", "quantity": 1 + number % 7, "unit_price": "0.1"}
    return {"currency": "EUR", "items": [line, {**line, "unit_price": "0.2"}]}


async def send_twice(opened: Shop, creations: int) -> Twins:
    """Each client makes its share of the orders; a twin at the other door sends each at once."""
    found, numbers = Twins(creations), iter(range(creations))

    async def client(own: int) -> None:
        for number in numbers:
            # The neighbour is at the other door; every other pair is sent by one door alone.
            pair = (opened.doors[own], opened.doors[(own + 1 + number % 2) % CLIENTS])
            await _twins(opened, found, pair, number)

    await asyncio.gather(*(client(own) for own in range(CLIENTS)))
    found.orders = await _count(opened)
    if found.orders != creations:
        found.faults.append(f"{found.orders} orders of {creations} creations")
    return found


async def _twins(opened: Shop, found: Twins, pair: tuple[Door, Door], number: int) -> None:
    order, headers = _order(number), {"idempotency-key": str(uuid4())}

    async def send(door: Door) -> Answer:
        for tries in itertools.count(1):
            answer = await opened.call(door, "create_order", headers=headers, **order)
            if answer.outcome != "unavailable" or tries == TRIES:
                return answer
            found.busy += 1
            await asyncio.sleep(0.2)
        raise AssertionError("count has no end")

    first, second = await asyncio.gather(*map(send, pair))
    if first.ok and second.ok and first.body == second.body:
        found.same += 1
    else:
        found.faults.append(f"order {number}: {first.outcome} {second.outcome}")


async def _count(opened: Shop) -> int:
    """How many orders there are, walked by cursor."""
    orders, wanted = 0, {"size": 100}
    while True:
        page = (await opened.call(opened.doors[0], "list_orders", **wanted)).body
        orders += len(page["data"])
        if page["next_cursor"] is None:
            return orders
        wanted["cursor"] = page["next_cursor"]


async def duel(opened: Shop, rounds: int) -> Duels:
    """One client pays and another cancels an order at once, at any two doors, ``rounds`` times."""
    found = Duels()
    while found.rounds < rounds and found.in_turn <= 10 * rounds:
        number = found.rounds + found.in_turn
        await _duel(opened, found, number)
    if found.rounds < rounds:
        found.faults.append(f"only {found.rounds} rounds were duels")
    return found


async def _duel(opened: Shop, found: Duels, number: int) -> None:
    made = await opened.call(opened.doors[number % CLIENTS], "create_order", **_order(number))
    seconds = {"pay": opened.doors[number % CLIENTS], "cancel": opened.doors[-1 - number % 7]}
    names = ["pay", "cancel"] if number % 2 else ["cancel", "pay"]
    answers = await asyncio.gather(
        *(opened.call(seconds[name], f"{name}_order", id=made.body["id"]) for name in names)
    )
    by_name = dict(zip(names, answers, strict=True))
    after = (await opened.call(opened.doors[0], "get_order", id=made.body["id"])).body["status"]
    outcomes = {name: answer.outcome for name, answer in by_name.items()}
    if outcomes == {"pay": "ok", "cancel": "ok"}:
        found.in_turn += 1
        if by_name["cancel"].headers["etag"] != '"3"' or after != "cancelled":
            found.faults.append(f"round {number}: both won, and it is {after}")
        return
    found.rounds += 1
    (winner,) = [name for name, outcome in outcomes.items() if outcome == "ok"] or ("",)
    loser = "cancel" if winner == "pay" else "pay"
    if winner:
        found.won[winner] += 1
    if winner and outcomes[loser] == "order_transition":
        found.lost[seconds[loser].name] += 1
    if outcomes.get(loser) != "order_transition" or after != {"pay": "paid"}.get(
        winner, "cancelled"
    ):
        found.faults.append(f"round {number}: {outcomes}, and it is {after}")
