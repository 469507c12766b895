"""Watching users: nothing missed, whatever is cut off, and nobody let in who may not."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from arcana_protos import auth, errors
from arcana_protos.client import ArcanaClient
from arcana_protos.user import UserEvent, WatchUsersRequest
from grpclib.client import Channel
from grpclib.config import Configuration
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError

from docs.examples.user_mirror import UserMirror
from service.core import metrics
from service.core.access import SYSTEM
from service.core.keys import Secrets
from service.transport.rpc.messages import Hurry
from service.transport.rpc.vigil import EVERY
from service.users.rpc import UsersRpc
from service.watches import tail
from service.watches.errors import WatchTooSlow
from service.watches.tokens import Place, ResumeTokens
from tests.support.fakes import FakeMeter
from tests.support.live import SECRET, Live
from tests.support.operations import OPERATIONS
from tests.support.people import PASSWORD, People, Person
from tests.support.relaying import relaying

Watch = AsyncGenerator[UserEvent, None]
USER = {"password": PASSWORD}


@pytest_asyncio.fixture(scope="module", autouse=True)
async def relay(running: Live) -> AsyncIterator[None]:
    async with relaying(running.database):
        yield


@pytest_asyncio.fixture
async def machine(people: People) -> Person:
    return await people.signed_in("Machine", "service")


@asynccontextmanager
async def client(live: Live, person: Person) -> AsyncIterator[ArcanaClient]:
    tokens = auth.TokenResponse(access_token=person.access)
    async with ArcanaClient("127.0.0.1", live.rpc_port, tokens=tokens) as arcana:
        yield arcana


@asynccontextmanager
async def watching(live: Live, person: Person, **wanted: Any) -> AsyncIterator[Watch]:
    """One stream, which nobody opens anew, once its first message has come."""
    async with client(live, person) as arcana:
        watch = arcana.watch_users(resumes=False, **wanted)
        async with aclosing(watch):
            yield watch


async def quiet(watch: Watch) -> UserEvent:
    """The message with which a watch begins."""
    async with asyncio.timeout(5):
        return await anext(watch)


async def some(watch: Watch, count: int) -> list[UserEvent]:
    """The next messages that are no heartbeats."""
    found: list[UserEvent] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            event = await anext(watch)
            if event.kind != "heartbeat":
                found.append(event)
    return found


async def settled(live: Live) -> None:
    """Wait until the relay has placed every event."""
    query = "SELECT COUNT(*) AS n FROM events WHERE position IS NULL"
    async with asyncio.timeout(20):
        while (await live.database.client.execute_query_dict(query))[0]["n"]:
            await asyncio.sleep(0.05)


async def ended(watch: Watch) -> errors.ArcanaError:
    """How a watch ends."""

    async def read() -> None:
        async for _ in watch:
            pass

    with pytest.raises(errors.ArcanaError) as how:
        await asyncio.wait_for(read(), 10)
    return how.value


async def test_a_watcher_hears_what_becomes_of_a_user(
    live: Live, machine: Person, root: Person
) -> None:
    await settled(live)
    meter = FakeMeter()
    with metrics.measured_by(meter):
        await _hears(live, machine, root)
    counts = {labels: n for (m, labels), n in meter.counts.items() if m is metrics.WATCH_MESSAGES}
    assert counts["heartbeat",] == 1
    assert counts["event",] >= 2


async def _hears(live: Live, machine: Person, root: Person) -> None:
    async with watching(live, machine) as watch:
        first = await quiet(watch)
        assert (first.kind, first.at, bool(first.resume_token)) == ("heartbeat", None, True)
        bob = await live.people.make("Bob")
        for door in (live.rest, live.rpc):
            change = {"id": bob.id, "name": f"Bob of {door.name}"}
            assert (await door.call("update_user", bearer=root.access, **change)).ok
        change = {"id": bob.id, "bio": "Builds."}
        await live.rpc.call("update_profile", bearer=root.access, **change)
        shown = (await live.rpc.call("get_user", bearer=root.access, id=bob.id)).body
        await live.rest.call("delete_user", bearer=root.access, id=bob.id)
        events = await some(watch, 5)
    names = ("created", "updated", "updated", "profile_updated", "deleted")
    assert [event.type for event in events] == [f"user.{name}" for name in names]
    assert {(event.kind, event.user_id) for event in events} == {("event", bob.id)}
    assert len({event.id for event in events}) == len({e.resume_token for e in events}) == 5
    last, gone = events[3], events[4]
    assert last.user is not None
    assert (last.user.name, last.user.roles) == (shown["name"], ["user"])
    assert last.profile is not None
    assert last.profile.bio == "Builds."
    assert [event.version for event in events] == [1, 2, 3, 4, 4]
    assert (gone.user, gone.profile) == (None, None)
    assert all(event.at is not None for event in events)


async def test_sessions_that_end_are_named_with_the_reason(
    live: Live, machine: Person, ada: Person
) -> None:
    await settled(live)
    async with watching(live, machine, types=["session.ended"]) as watch:
        await quiet(watch)
        other = await live.people.sign_in(ada)
        await live.rest.call("logout", bearer=ada.access)
        await live.services.users.set_status(SYSTEM, ada.id, {"status": "suspended"})
        first, second = await some(watch, 2)
    assert {first.type, second.type} == {"session.ended"}
    assert (first.user_id, first.session_ids) == (ada.id, [ada.session_id])
    assert (second.session_ids, second.why) == ([other.session_id], "user_suspended")


async def test_a_snapshot_shows_everybody_and_what_comes_then_follows(
    live: Live, machine: Person
) -> None:
    here = {machine.id} | {(await live.people.make(f"P{n}")).id for n in range(5)}
    async with watching(live, machine, snapshot=True, types=["user.deleted"]) as watch:
        begin, *shown, end = await some(watch, len(here) + 2)
        assert (begin.kind, end.kind) == ("snapshot_begin", "snapshot_end")
        assert [event.user_id for event in shown] == sorted(here)
        assert {event.kind for event in shown} == {"snapshot"}
        assert all(event.user and event.version >= 1 for event in shown)
        gone = shown[-1].user_id
        await live.services.users.delete(SYSTEM, gone)
        (event,) = await some(watch, 1)
        assert (event.type, event.user_id) == ("user.deleted", gone)


async def test_a_snapshot_that_is_cut_goes_on_where_it_was(live: Live, machine: Person) -> None:
    for number in range(9):
        await live.people.make(f"P{number}")
    shown: list[str] = []
    token, kinds = "", list[str]()
    while "snapshot_end" not in kinds:
        wanted = {"snapshot": True, "resume_token": token}
        async with watching(live, machine, **wanted) as watch:
            async for event in watch:
                kinds.append(event.kind)
                token = event.resume_token
                shown += [event.user_id] * (event.kind == "snapshot")
                if event.kind in ("snapshot", "snapshot_end"):
                    break
    assert len(shown) == len(set(shown)) == 10
    assert kinds.count("snapshot_begin") == 1


@pytest.mark.one_database  # `make chaos-watch` does it on each, with processes of their own
async def test_a_mirror_cut_off_20_times_holds_exactly_the_users_that_there_are(
    live: Live, machine: Person, root: Person
) -> None:
    for number in range(30):
        await live.people.make(f"P{number}")
    mirror, cuts, token, done = UserMirror(), 0, "", False
    changing = asyncio.create_task(_change(live, root))
    async with asyncio.timeout(90):
        while not done:
            wanted = {"snapshot": True, "resume_token": token, "heartbeat_seconds": 1}
            left = random.randint(1, 12) if cuts < 20 else None
            async with watching(live, machine, **wanted) as watch:
                async for event in watch:
                    mirror.apply(event)
                    token = event.resume_token
                    left = left and left - 1
                    done = left is None and changing.done() and event.kind == "heartbeat"
                    done = done and cuts >= 20 and await _is_whole(live, mirror)
                    if left == 0 or done:
                        break
            cuts += 1
    await changing
    assert cuts > 20
    assert mirror.versions == await _versions(live)


async def _change(live: Live, root: Person) -> None:
    """Users come, change and go at both doors."""
    here = [(await live.people.make("First")).id]
    for number in range(60):
        door = random.choice((live.rest, live.rpc))
        which = random.choice(here)
        if number % 3 == 0:
            email = live.people.fresh_email()
            new = {"name": f"New {number}", "email": email, **USER}
            here.append((await door.call("create_user", bearer=root.access, **new)).body["id"])
        elif number % 3 == 1:
            change = {"id": which, "name": f"Changed {number}"}
            assert (await door.call("update_user", bearer=root.access, **change)).ok
        elif len(here) > 5:
            here.remove(which)
            assert (await door.call("delete_user", bearer=root.access, id=which)).ok


async def _versions(live: Live) -> dict[str, int]:
    rows = await live.database.client.execute_query_dict("SELECT id, version FROM users")
    return {str(row["id"]): row["version"] for row in rows}


async def _is_whole(live: Live, mirror: UserMirror) -> bool:
    await settled(live)
    return mirror.versions == await _versions(live)


@pytest.mark.one_database
async def test_whoever_hears_nothing_hears_a_heartbeat(live: Live, machine: Person) -> None:
    await settled(live)
    async with watching(live, machine, heartbeat_seconds=1) as watch:
        await quiet(watch)
        began = time.monotonic()
        beat = await quiet(watch)
        assert 0.9 < time.monotonic() - began < 10  # not the 15 that it is unless asked
        assert beat.kind == "heartbeat"
        await live.people.make("Bob")
    async with watching(live, machine, resume_token=beat.resume_token) as watch:
        (event,) = (await some(watch, 1))[:1]
    assert event.type == "user.created"


async def test_a_token_of_what_is_purged_is_refused(live: Live, machine: Person) -> None:
    async with watching(live, machine) as watch:
        token = (await quiet(watch)).resume_token
    for _ in range(2):
        await live.people.make("Bob")
    await settled(live)
    await live.database.client.execute_script("DELETE FROM events WHERE type = 'user.created'")
    async with watching(live, machine, resume_token=token) as watch:
        error = await ended(watch)
    assert (error.status, error.code) == (Status.FAILED_PRECONDITION, "resume_expired")


@pytest.mark.one_database
async def test_a_token_of_another_history_is_refused(live: Live, machine: Person) -> None:
    tokens = ResumeTokens(*Secrets(SECRET.encode()).derive("resume"))
    token = tokens.seal(Place(10**9))
    async with watching(live, machine, resume_token=token) as watch:
        assert (await ended(watch)).code == "resume_expired"


@pytest.mark.one_database
@pytest.mark.parametrize(
    "wanted",
    [
        {"resume_token": "garbage"},
        {"types": ["user.creatd"]},
        {"heartbeat_seconds": 61},
        {"heartbeat_seconds": -1},
    ],
)
async def test_what_is_asked_for_wrongly_is_refused(
    live: Live, machine: Person, wanted: dict[str, Any]
) -> None:
    async with watching(live, machine, **wanted) as watch:
        error = await ended(watch)
    assert (error.code, list(error.errors)) == ("invalid_request", list(wanted))


async def test_a_watch_ends_within_a_second_of_its_callers_revocation(
    live: Live, machine: Person
) -> None:
    async with watching(live, machine) as watch:
        await quiet(watch)
        ending = asyncio.create_task(ended(watch))
        await live.services.users.set_status(SYSTEM, machine.id, {"status": "suspended"})
        began = time.monotonic()
        assert (await ending).code == "invalid_token"
        assert time.monotonic() - began < 1


async def test_a_watch_by_key_ends_when_its_owner_loses_a_role(
    live: Live, people: People, root: Person
) -> None:
    """The key lives on, with the roles of now: a new watch by it is refused, and so is this one."""
    boss = await people.signed_in("Boss", "admin")
    wanted: dict[str, Any] = {"name": "w", "scopes": ["events:read"], "user_id": boss.id}
    made = await live.rest.call("create_api_key", bearer=boss.access, **wanted)
    assert (await live.rest.call("create_role", bearer=root.access, name="auditor")).ok
    await settled(live)
    async with watching(live, replace(boss, access=made.body["key"])) as watch:
        await quiet(watch)
        await live.services.roles.grant(SYSTEM, boss.id, "auditor")
        (gained,) = await some(watch, 1)
        ending = asyncio.create_task(ended(watch))
        await asyncio.sleep(2 * EVERY)
        assert not ending.done(), "a role more ends nothing"
        await live.services.roles.revoke(SYSTEM, boss.id, "admin")
        assert (await ending).code == "forbidden"
    assert gained.type == "user.roles_changed"


@pytest.mark.one_database
async def test_a_slow_reader_is_told_to_resume_and_misses_nothing(
    live: Live, machine: Person, root: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    await settled(live)
    monkeypatch.setattr(UsersRpc.watch_users, "hurry", Hurry(0.7, WatchTooSlow))
    monkeypatch.setattr(tail, "PAGE", 50)
    asked = WatchUsersRequest(types=["user.profile_updated"])
    async with slow_channel(live) as channel:
        stream = channel.request(
            OPERATIONS["watch_users"].rpc,
            Cardinality.UNARY_STREAM,
            WatchUsersRequest,
            UserEvent,
            metadata={"authorization": f"Bearer {machine.access}"},
        )
        async with stream:
            await stream.send_message(asked, end=True)
            assert await stream.recv_message() is not None
            for number in range(120):  # of 1 KB each
                change = {"bio": f"{number:04}" * 250}
                await live.services.users.update_profile(SYSTEM, root.id, change)
            await settled(live)
            await asyncio.sleep(1.5)  # nothing is read
            taken, error = await drained(stream)
    assert error.status is Status.RESOURCE_EXHAUSTED
    assert stream.trailing_metadata is not None
    assert stream.trailing_metadata["error-code"] == "watch_too_slow"
    assert 0 < len(taken) < 120
    asked.resume_token = taken[-1].resume_token
    wanted = {"types": asked.types, "resume_token": asked.resume_token}
    async with watching(live, machine, **wanted) as watch:
        rest = await some(watch, 120 - len(taken))
    numbers = [int(e.profile.bio[:4]) for e in (*taken, *rest) if e.profile and e.profile.bio]
    assert numbers == list(range(120))


@asynccontextmanager
async def slow_channel(live: Live) -> AsyncIterator[Channel]:
    """A client with windows of 64 KiB, that is full after some 60 messages."""
    narrow = Configuration(
        http2_connection_window_size=2**16 - 1, http2_stream_window_size=2**16 - 1
    )
    async with Channel("127.0.0.1", live.rpc_port, config=narrow) as channel:
        yield channel


async def drained(stream: Any) -> tuple[Sequence[UserEvent], GRPCError]:
    """What is left in a stream, and how it ends."""
    taken: list[UserEvent] = []

    async def read() -> None:
        async for event in stream:
            taken.append(event)
        await stream.recv_trailing_metadata()

    with pytest.raises(GRPCError) as how:
        await read()
    return taken, how.value


@pytest.mark.one_database
async def test_a_client_goes_on_by_itself_until_it_may_no_longer(
    live: Live, machine: Person
) -> None:
    await settled(live)
    async with client(live, machine) as arcana, aclosing(arcana.watch_users()) as watch:
        await quiet(watch)
        first = await live.people.make("First")
        assert (await some(watch, 1))[0].user_id == first.id
        for connection in list(live.app.ctx.rpc._server.connections):
            connection.transport.abort()
        second = await live.people.make("Second")
        assert (await some(watch, 1))[0].user_id == second.id
        await live.services.users.set_status(SYSTEM, machine.id, {"status": "suspended"})
        assert (await ended(watch)).code == "invalid_token"
