"""make chaos-events: the relay and the service die under changes; every sink must hear them all.

Two serving workers at both doors and two of ``manage.py worker``, on each database. Ten times,
while it relays, the relaying worker is killed -9, its child alone or with its parent, and one that
serves. ``python -m tests.bench.chaos_events [CHANGES] [DATABASE …]``.
"""

import asyncio
import json
import logging
import os
import random
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import uuid4

from redis.asyncio import Redis

from service.core.events import Event
from service.infra.database import Database
from service.infra.outbox import Outbox
from tests.support.caches import own_redis
from tests.support.changes import Change, Changers, Changes, changing
from tests.support.databases import BACKENDS, Backend, fresh_database
from tests.support.doors import rest_door
from tests.support.mailboxes import Mailbox, mailbox
from tests.support.processes import SECRET
from tests.support.receivers import Receiver, receiving
from tests.support.served import ADMIN, PASSWORD, Served, served
from tests.support.working import Working, working

CHANGES, KILLS = 5000, 10
STREAM = "chaos:events"
UNDONE = "chaos.undone"
TOLD_WITHIN = 120.0
"""Seconds after the last change in which every sink must have been told."""
TAKEN_OVER = 180.0
"""Seconds after a death in which another must relay: the lease's 15, and slow machines' starts."""
_SHOWN = 5


@dataclass(frozen=True)
class Heard:
    """What a sink was told of, and how it could know it again."""

    id: str
    type: str
    user: str
    sequence: int
    data: Mapping[str, object]

    @classmethod
    def of(cls, event: Mapping[str, object]) -> "Heard":
        """A CloudEvent in its JSON format."""
        data = event["data"]
        assert isinstance(data, dict)
        user, sequence = str(event.get("partitionkey", "")), int(str(event["sequence"]))
        return cls(str(event["id"]), str(event["type"]), user, sequence, data)


class Ear(Protocol):
    """A sink's other end. Add one to ``ears`` and every check holds for it, too."""

    name: str

    async def heard(self) -> list[Heard]:
        """All that it was told until now, in the order in which it was, doubles and all."""

    def concerns(self, truth: Sequence[Heard]) -> list[Heard]:
        """What of all that was committed it must have been told."""


class StreamEar:
    """Reads the stream of Redis from its beginning."""

    name = "redis"

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def heard(self) -> list[Heard]:
        entries: Any = await self._redis.xrange(STREAM)
        return [Heard.of(json.loads(fields[b"event"])) for _, fields in entries]

    def concerns(self, truth: Sequence[Heard]) -> list[Heard]:
        return list(truth)


class HookEar:
    """A receiver of webhooks, which takes only what another's implementation says is signed."""

    name = "webhook"

    def __init__(self, receiver: Receiver) -> None:
        self._receiver, self._secret = receiver, ""
        self._before: frozenset[str] = frozenset()

    async def register(self, service: Served, database: Database) -> None:
        """Have every event from now on told to it."""
        async with rest_door(service.http_port) as door:
            pair = await door.call("login", email=ADMIN, password=PASSWORD)
            token = pair.body["access_token"]
            made = await door.call("create_webhook", bearer=token, url=self._receiver.url)
        assert made.ok, made
        self._secret = made.body["secret"]
        self._before = frozenset(event.id for event in await committed(database))

    async def heard(self) -> list[Heard]:
        signed = [each for each in self._receiver.received if each.is_signed_by(self._secret)]
        assert len(signed) == len(self._receiver.received), "something was not signed"
        return [Heard.of(each.event) for each in signed]

    def concerns(self, truth: Sequence[Heard]) -> list[Heard]:
        return [event for event in truth if event.id not in self._before]


class MailEar:
    """A mail server: welcomes to everybody who was made and not deleted before."""

    name = "mail"

    def __init__(self, box: Mailbox) -> None:
        self._box = box

    async def heard(self) -> list[Heard]:
        names = [one.strip("<>").partition("@")[0].split(".") for one in self._box.ids]
        welcomes = [name[0] for name in names if name[1] == "welcome"]
        return [Heard(one, "arcana.user.created", one, 0, {}) for one in welcomes]

    def concerns(self, truth: Sequence[Heard]) -> list[Heard]:
        gone = {event.user for event in truth if event.type == "arcana.user.deleted"}
        made = (event for event in truth if event.type == "arcana.user.created")
        return [event for event in made if event.user not in gone]


@dataclass(frozen=True)
class Ears:
    """Everybody who listens, and where mail goes."""

    stream: StreamEar
    hook: HookEar
    mail: MailEar
    mail_port: int

    @property
    def all(self) -> list[Ear]:
        return [self.stream, self.hook, self.mail]


@dataclass
class Result:
    """What was seen on one database."""

    backend: str
    seconds: float = 0.0
    acknowledged: int = 0
    committed: int = 0
    undone: int = 0
    cut: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    told: dict[str, int] = field(default_factory=dict)
    doubles: dict[str, int] = field(default_factory=dict)
    late: float = 0.0
    faults: list[str] = field(default_factory=list)


@asynccontextmanager
async def ears(redis_url: str) -> AsyncIterator[Ears]:
    """Everybody who listens."""
    redis = Redis.from_url(redis_url)
    try:
        async with receiving() as receiver, mailbox() as box:
            yield Ears(StreamEar(redis), HookEar(receiver), MailEar(box), box.port)
    finally:
        await redis.aclose()


async def undo_now_and_then(database: Database, result: Result) -> None:
    """Write events down and roll them back, until cancelled."""
    outbox = Outbox()
    while True:
        with suppress(ZeroDivisionError):
            async with database.transaction():
                await outbox.publish(Event(UNDONE, "chaos", {}, uuid4()))
                raise ZeroDivisionError
        result.undone += 1
        await asyncio.sleep(random.uniform(0.05, 0.2))


async def killing(
    workers: list[Working], service: Served, listening: Sequence[Ear], result: Result
) -> None:
    """Kill the one that relays, some moments after it began to, and one that serves."""
    turns = [0 for _ in workers]
    for _ in range(KILLS):
        victims = await _relaying(workers, turns, listening)
        await asyncio.sleep(random.uniform(0.0, 2.0))
        turns = [each.turns for each in workers]
        for victim in victims:
            await _kill(victim, result)
        if serving := service.workers:
            with suppress(ProcessLookupError):
                os.kill(random.choice(serving), signal.SIGKILL)
            result.kills["serving"] += 1


async def _relaying(
    workers: list[Working], turns: list[int], listening: Sequence[Ear]
) -> list[Working]:
    """The worker that has begun to relay since; all of them where one did and was not noticed."""
    until, before = time.monotonic() + TAKEN_OVER, [len(await ear.heard()) for ear in listening]
    while time.monotonic() < until:
        for number, worker in enumerate(workers):
            if worker.turns > turns[number]:
                return [worker]
        await asyncio.sleep(0.05)
    if [len(await ear.heard()) for ear in listening] == before:
        tails = "\n".join(worker.log[-1500:] for worker in workers)
        raise TimeoutError(f"nobody relays:\n{tails}")
    return workers


async def _kill(worker: Working, result: Result) -> None:
    child = worker.child
    if random.random() < 0.5 or child is None:
        worker.kill()
        await asyncio.sleep(0.2)  # its orchestrator's moment
        await worker.start()
        result.kills["worker"] += 1
    else:
        os.kill(child, signal.SIGKILL)
        result.kills["its child"] += 1


async def committed(database: Database) -> list[Heard]:
    """What the outbox holds, in its one order."""
    rows = await database.client.execute_query_dict(
        "SELECT uuid, type, user_id, position, data FROM events ORDER BY position"
    )
    return [
        Heard(
            str(row["uuid"]),
            f"arcana.{row['type']}",
            str(row["user_id"] or ""),
            int(row["position"] or 0),
            json.loads(row["data"]),
        )
        for row in rows
    ]


async def until_told(database: Database, listening: Sequence[Ear]) -> float:
    """Wait until every ear has heard as much as there is; the seconds it took."""
    began = time.monotonic()
    truth = await committed(database)
    wanted = [(ear, {event.id for event in ear.concerns(truth)}) for ear in listening]
    while time.monotonic() - began < TOLD_WITHIN:
        found = [ids <= {event.id for event in await ear.heard()} for ear, ids in wanted]
        if all(found):
            break
        await asyncio.sleep(0.5)
    return time.monotonic() - began


def faults_of(ear: Ear, heard: Sequence[Heard], truth: Sequence[Heard]) -> list[str]:
    """What an ear missed, heard too much of, or heard in a wrong order."""
    name, told = ear.name, {event.id for event in heard}
    missing = [event.id for event in ear.concerns(truth) if event.id not in told]
    strange = told - {event.id for event in truth}
    found = [f"{name} was never told of {len(missing)}: {missing[:_SHOWN]}"] if missing else []
    if strange:
        found.append(f"{name} was told of {len(strange)} that nobody committed")
    if any(event.type.endswith(UNDONE) for event in heard):
        found.append(f"{name} was told of what was rolled back")
    if wrong := [user for user, order in _firsts(heard).items() if order != sorted(order)]:
        found.append(f"{name} was told of {len(wrong)} users out of order: {wrong[:_SHOWN]}")
    return found


def _firsts(heard: Iterable[Heard]) -> dict[str, list[int]]:
    """By user, the places in the order of what was heard, the first time of each."""
    orders: dict[str, dict[int, None]] = {}
    for event in heard:
        orders.setdefault(event.user, {}).setdefault(event.sequence)
    return {user: list(order) for user, order in orders.items()}


def broken_promises(changes: Changes, truth: Sequence[Heard]) -> list[str]:
    """Acknowledged changes of which there is no event, or one out of the order of the answers."""
    places: dict[Change, int] = {}
    for event in truth:
        facts = {name: str(event.data.get(name)) for name in ("name", "status")}
        for chosen in ((), ("name",), ("status",)):
            change = Change(event.type, event.user, tuple((n, facts[n]) for n in chosen))
            places.setdefault(change, event.sequence)
    lost = [change for change in changes.acknowledged if change not in places]
    found = [f"acknowledged, and no event: {len(lost)}: {lost[:_SHOWN]}"] if lost else []
    orders: dict[str, list[int]] = {}
    for change in changes.acknowledged:
        orders.setdefault(change.user_id, []).append(places.get(change, 0))
    wrong = [user for user, order in orders.items() if order != sorted(order)]
    if wrong and not lost:
        found.append(f"{len(wrong)} users changed in another order than it is told")
    return found


async def scene(backend: Backend, wanted: int) -> Result:
    """One database: load and deaths, then the reckoning."""
    result = Result(backend)
    with fresh_database(backend) as url:
        async with own_redis() as redis, ears(redis.url) as listening:
            settings = {
                "JWT_SECRET": SECRET,
                "WEBHOOK_HOSTS": "127.0.0.1",
                "SMTP_URL": f"smtp://127.0.0.1:{listening.mail_port}",
                "MAIL_FROM": "no-reply@example.com",
                "PUBLIC_URL": "https://accounts.example.com",
                "REDIS_URL": redis.url,
                "EVENT_STREAM": STREAM,
                "EVENT_STREAM_LENGTH": "100000000",
                "CACHE_PREFIX": f"chaos-{uuid4().hex[:8]}:",
                "WORKERS": "2",
            }
            database = Database(url)
            await database.connect()
            try:
                async with working({**settings, "DATABASE_URL": url}, 2) as workers:
                    async with served(url, **settings) as service:
                        await listening.hook.register(service, database)
                        changes = await _load(
                            service, workers, listening.all, database, wanted, result
                        )
                    result.late = await until_told(database, listening.all)
                await _reckon(changes, listening.all, database, result)
            finally:
                await database.close()
    return result


async def _load(
    service: Served,
    workers: list[Working],
    listening: Sequence[Ear],
    database: Database,
    wanted: int,
    result: Result,
) -> Changes:
    began = time.monotonic()
    undoing = asyncio.create_task(undo_now_and_then(database, result))
    async with changing(service, clients=10, pause=0.15) as changers:
        killer = asyncio.create_task(killing(workers, service, listening, result))
        await asyncio.gather(killer, _enough(changers, wanted))
    undoing.cancel()
    await asyncio.gather(undoing, return_exceptions=True)
    result.seconds = time.monotonic() - began
    return changers.changes


async def _enough(changers: Changers, wanted: int) -> None:
    while len(changers.changes.acknowledged) < wanted:
        await asyncio.sleep(0.1)


async def _reckon(
    changes: Changes, listening: Sequence[Ear], database: Database, result: Result
) -> None:
    truth = await committed(database)
    result.acknowledged, result.committed = len(changes.acknowledged), len(truth)
    result.cut = sum(
        n for outcome, n in changes.outcomes.items() if outcome in ("cut", "unavailable")
    )
    result.faults += broken_promises(changes, truth)
    if strange := set(changes.outcomes) - {"ok", "cut", "unavailable", "email_taken"}:
        odd = {name: changes.outcomes[name] for name in strange - {"user_not_found"}}
        result.faults += [f"answered {odd}"] if odd else []
    for ear in listening:
        heard = await ear.heard()
        result.told[ear.name] = len({event.id for event in heard})
        result.doubles[ear.name] = len(heard) - result.told[ear.name]
        result.faults += faults_of(ear, heard, truth)


HEAD = (
    f"{'database':<10}{'acknowledged':>13}{'committed':>11}{'undone':>8}{'cut':>6}{'killed':>8}"
    f"{'load s':>8}{'told after s':>14}  {'sink':<8}{'told':>8}{'doubles':>9}"
)


def lines(result: Result) -> Iterable[str]:
    """The rows of the table, one a sink."""
    start = (
        f"{result.backend:<10}{result.acknowledged:>13}{result.committed:>11}{result.undone:>8}"
        f"{result.cut:>6}{result.kills.total():>8}{result.seconds:>8.0f}{result.late:>14.1f}"
    )
    for name, told in result.told.items():
        yield f"{start}  {name:<8}{told:>8}{result.doubles[name]:>9}"
        start = " " * len(start)
    yield f"    killed: {dict(result.kills)}"
    yield from (f"    FAULT: {fault}" for fault in result.faults)


async def main(words: Sequence[str]) -> int:
    logging.disable(logging.CRITICAL)
    wanted = next((int(word) for word in words if word.isdigit()), CHANGES)
    print(HEAD, flush=True)
    faults = 0
    for backend in BACKENDS:
        if not set(words) & set(BACKENDS) or backend in words:
            result = await scene(backend, wanted)
            print("\n".join(lines(result)), flush=True)
            faults += len(result.faults)
    print("every sink heard every change" if not faults else f"{faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    os.environ["GRPC_VERBOSITY"] = "NONE"
    sys.exit(asyncio.run(main(sys.argv[1:])))
