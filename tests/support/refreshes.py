"""Refreshes as real clients make them: many at once, with answers that get lost, and by a thief."""

import asyncio
import json
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psutil  # type: ignore[import-untyped]  # it ships no types

from tests.support.caches import REDIS_URL
from tests.support.doors import Answer, Door, rest_door, rpc_door
from tests.support.people import session_of
from tests.support.served import ADMIN, PASSWORD, Served, served

CHANNELS = 8
"""Connections at each door, so that every worker gets some."""


@dataclass
class Played:
    """What came of a scene; it is sound when ``faults`` is empty."""

    scene: str
    refreshes: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    successors: int = 0
    """The most distinct new refresh tokens that any round gave."""
    chains: int = 0
    """The most live sessions that were seen of the one that was begun."""
    lost: int = 0
    slowest: float = 0.0
    """Seconds of the slowest round."""
    faults: list[str] = field(default_factory=list)

    def note(self, answers: Sequence[Answer]) -> None:
        self.refreshes += len(answers)
        self.outcomes.update(answer.outcome for answer in answers)

    def expect(self, holds: bool, fault: str) -> None:
        if not holds:
            self.faults.append(fault)


@dataclass
class Crowd:
    """Connections to a service with two workers, taken in turn."""

    service: Served
    doors: Sequence[Door]
    user_id: str

    async def log_in(self) -> dict[str, Any]:
        answer = await self.doors[0].call("login", email=ADMIN, password=PASSWORD)
        assert answer.ok, answer
        return answer.body

    def idle_workers(self) -> int:
        """How many workers hold no connection of ours."""
        return _idle(self.service)

    async def sessions(self, access: str) -> dict[str, str | None]:
        """Why each session of the user ended, or None; at most 100 live and 100 ended ones."""
        asked = {"user_id": self.user_id, "ended": True}
        answer = await self.doors[0].call("list_sessions", bearer=access, **asked)
        assert answer.ok, answer
        return {each["id"]: each["ended_why"] for each in answer.body["data"]}


@asynccontextmanager
async def crowd(database_url: str) -> AsyncIterator[Crowd]:
    """Two workers over the database, and connections at both doors to each."""
    settings = {"WORKERS": "2", "REDIS_URL": REDIS_URL}
    settings["CACHE_PREFIX"] = f"test-{secrets.token_hex(8)}:"
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(served(database_url, **settings))
        doors: list[Door] = []
        for _ in range(CHANNELS):
            doors.append(await stack.enter_async_context(rest_door(service.http_port)))
            doors.append(await stack.enter_async_context(rpc_door(service.rpc_port)))
        await _both_accept(service)
        entered = await doors[0].call("login", email=ADMIN, password=PASSWORD)
        me = await doors[0].call("who_am_i", bearer=entered.body["access_token"])
        yield Crowd(service, doors, me.body["id"])


async def _both_accept(service: Served) -> None:
    """Both workers have taken a connection; the first alone makes the service ready."""
    async with asyncio.timeout(60):
        while len(service.workers) < 2 or await _idle_of(service, service.http_port):
            await asyncio.sleep(0.1)


async def _idle_of(service: Served, port: int) -> int:
    """How many workers take none of some new connections."""
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
    await asyncio.sleep(0.1)
    idle = _idle(service)
    for _, writer in opened:
        writer.close()
    return idle


def _idle(service: Served) -> int:
    held = [psutil.Process(pid).net_connections("tcp") for pid in service.workers]
    return sum(not any(c.status == psutil.CONN_ESTABLISHED for c in each) for each in held)


async def refresh(door: Door, token: str) -> Answer:
    return await door.call("refresh", refresh_token=token)


async def race(crowd: Crowd, *, rounds: int, at_once: int) -> Played:
    """The same token presented ``at_once`` times at the same moment; its successor goes next."""
    played, pair = Played("at once"), await crowd.log_in()
    session = session_of(pair["access_token"])
    for number in range(rounds):
        began, token = time.perf_counter(), pair["refresh_token"]
        doors = [crowd.doors[n % len(crowd.doors)] for n in range(at_once)]
        answers = await asyncio.gather(*(refresh(door, token) for door in doors))
        played.slowest = max(played.slowest, time.perf_counter() - began)
        played.note(answers)
        good = [answer.body for answer in answers if answer.ok]
        successors = {each["refresh_token"] for each in good} - {token}
        played.successors = max(played.successors, len(successors))
        played.expect(len(successors) == 1, f"round {number}: {len(successors)} successors")
        if not good:
            break
        pair = good[0]
        live = [
            each for each, why in (await crowd.sessions(pair["access_token"])).items() if not why
        ]
        played.chains = max(played.chains, live.count(session))
        played.expect(session in live, f"round {number}: the session is over")
        played.expect(not crowd.idle_workers(), f"round {number}: a worker had nothing to do")
    last = await refresh(crowd.doors[1], pair["refresh_token"])
    played.expect(last.ok, "the last successor does not work")
    _blame_strange(played)
    return played


def _blame_strange(played: Played) -> None:
    strange = {
        code: n for code, n in played.outcomes.items() if code not in ("ok", "invalid_token")
    }
    played.expect(not strange, f"neither given nor refused: {strange}")


Losing = Callable[[Crowd, str], Awaitable[None]]


async def _thrown_away(crowd: Crowd, token: str) -> None:
    """The answer comes, and the client dies before it has kept it."""
    door = crowd.doors[secrets.randbelow(len(crowd.doors))]
    assert (await refresh(door, token)).ok


async def _hung_up(crowd: Crowd, token: str) -> None:
    """The connection breaks when the request is sent, or a moment later."""
    body = json.dumps({"refresh_token": token}).encode()
    head = f"Host: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    _, writer = await asyncio.open_connection("127.0.0.1", crowd.service.http_port)
    writer.write(f"POST /api/v1/auth/refresh HTTP/1.1\r\n{head}".encode() + body)
    await writer.drain()
    await asyncio.sleep(secrets.randbelow(10) / 1000)
    writer.transport.abort()


async def _called_off(crowd: Crowd, token: str) -> None:
    """The client gives the call up when it is sent, or a moment later."""
    call = asyncio.create_task(refresh(crowd.doors[1], token))
    await asyncio.sleep(secrets.randbelow(10) / 1000)
    call.cancel()
    with suppress(asyncio.CancelledError):
        await call


LOSSES: Sequence[Losing] = (_thrown_away, _hung_up, _called_off)


async def lose_answers(crowd: Crowd, *, refreshes: int, every: int = 10) -> Played:
    """A client that asks again with the token it has, whenever an answer did not come."""
    played, pair = Played("lost answers"), await crowd.log_in()
    session = session_of(pair["access_token"])
    for number in range(1, refreshes + 1):
        if number % every == 0:
            played.lost += 1
            await LOSSES[played.lost % len(LOSSES)](crowd, pair["refresh_token"])
        answer = await refresh(crowd.doors[number % len(crowd.doors)], pair["refresh_token"])
        played.note([answer])
        if not answer.ok:
            played.faults.append(f"logged out at refresh {number}: {answer.outcome}")
            return played
        pair = answer.body
    known = await crowd.sessions(pair["access_token"])
    played.chains = int(session in known and known[session] is None)
    played.expect(played.chains == 1, "the session is over")
    return played


async def steal(crowd: Crowd, *, thefts: int) -> Played:
    """A thief presents a token that its owner has traded: both are out, at every door."""
    played = Played("thief")
    for number in range(thefts):
        owner = await crowd.log_in()
        stolen = owner["refresh_token"]
        for _ in range(2):
            answer = await refresh(crowd.doors[number % len(crowd.doors)], owner["refresh_token"])
            played.note([answer])
            owner = answer.body
        tries = [await refresh(crowd.doors[n], stolen) for n in range(2)]
        tries += [await refresh(crowd.doors[n], owner["refresh_token"]) for n in range(2)]
        played.note(tries)
        played.expect(not any(each.ok for each in tries), f"theft {number} went well")
        await _until_out(crowd, owner["access_token"])
        fresh = (await crowd.log_in())["access_token"]
        why = (await crowd.sessions(fresh)).get(session_of(owner["access_token"]))
        played.expect(why == "refresh_reuse", f"theft {number}: the session says {why}")
    _blame_strange(played)
    return played


async def _until_out(crowd: Crowd, access: str) -> None:
    """Every connection refuses the access token within a second, or this times out."""
    async with asyncio.timeout(10):
        for door in crowd.doors:
            while (await door.call("who_am_i", bearer=access)).ok:
                await asyncio.sleep(0.05)
