"""Sessions: a refresh token works once, its theft ends the session, log-out is for good."""

import asyncio
import base64
from contextvars import Context
from typing import Any
from uuid import UUID

import pytest

from service.auth.refresh_tokens import RefreshTokens
from service.core.access import SYSTEM
from service.core.ids import new_id
from service.infra.database import DatabaseUnavailable
from tests.support.doors import Answer, Door
from tests.support.live import SECRET, Live
from tests.support.operations import API
from tests.support.people import Person


async def refreshed(door: Door, token: str) -> dict[str, Any]:
    answer = await refresh(door, token)
    assert answer.ok, answer
    return answer.body


async def refresh(door: Door, token: str) -> Answer:
    return await door.call("refresh", refresh_token=token)


async def is_let_in(door: Door, access: str) -> bool:
    answer = await door.call("who_am_i", bearer=access)
    assert answer.outcome in ("ok", "invalid_token")
    return answer.ok


# Rotation


async def test_a_refresh_gives_a_new_pair_of_the_same_session(door: Door, ada: Person) -> None:
    pair = await refreshed(door, ada.refresh)
    assert set(pair) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert pair["refresh_token"] != ada.refresh
    assert pair["access_token"] != ada.access
    assert await is_let_in(door, pair["access_token"])
    assert await is_let_in(door, ada.access)


async def test_a_chain_of_refreshes_goes_on_and_on(live: Live, door: Door, ada: Person) -> None:
    pair = {"refresh_token": ada.refresh}
    for _ in range(10):
        live.clock.forward(days=6)
        pair = await refreshed(door, pair["refresh_token"])
    assert await is_let_in(door, pair["access_token"])
    assert not await is_let_in(door, ada.access)


async def test_a_refresh_token_lives_for_seven_days(live: Live, door: Door, ada: Person) -> None:
    live.clock.forward(days=7, seconds=-1)
    token = (await refreshed(door, ada.refresh))["refresh_token"]
    live.clock.forward(days=7)
    assert (await refresh(door, token)).outcome == "invalid_token"


async def test_the_token_just_traded_gives_the_same_successor_for_ten_seconds(
    live: Live, door: Door, ada: Person
) -> None:
    first = await refreshed(door, ada.refresh)
    for _ in range(3):
        live.clock.forward(seconds=3)
        again = await refreshed(door, ada.refresh)
        assert again["refresh_token"] == first["refresh_token"]
        assert again["access_token"] != first["access_token"]
        assert await is_let_in(door, again["access_token"])
    assert (await refreshed(door, first["refresh_token"]))["refresh_token"]


async def test_a_replay_does_not_make_its_ten_seconds_longer(
    live: Live, door: Door, ada: Person
) -> None:
    await refreshed(door, ada.refresh)
    live.clock.forward(seconds=9)
    await refreshed(door, ada.refresh)
    live.clock.forward(seconds=2)
    assert (await refresh(door, ada.refresh)).outcome == "invalid_token"


async def test_a_token_used_twice_ends_the_session_and_the_ending_outlives_the_refusal(
    live: Live, door: Door, ada: Person
) -> None:
    pair = await refreshed(door, ada.refresh)
    live.clock.forward(seconds=11)
    assert (await refresh(door, ada.refresh)).outcome == "invalid_token"
    for other in (live.rest, live.rpc):
        assert not await is_let_in(other, pair["access_token"])
        assert (await refresh(other, pair["refresh_token"])).outcome == "invalid_token"
    _, rows = await live.database.client.execute_query("SELECT * FROM sessions")
    assert [row["ended_why"] for row in rows] == ["refresh_reuse"]


async def test_a_token_older_than_the_last_ends_the_session_at_once(
    door: Door, ada: Person
) -> None:
    second = (await refreshed(door, ada.refresh))["refresh_token"]
    third = await refreshed(door, second)
    assert (await refresh(door, ada.refresh)).outcome == "invalid_token"
    assert not await is_let_in(door, third["access_token"])
    assert (await refresh(door, third["refresh_token"])).outcome == "invalid_token"


async def test_the_theft_of_one_session_leaves_the_others_alone(
    live: Live, door: Door, ada: Person
) -> None:
    other = await live.people.sign_in(ada)
    await refreshed(door, ada.refresh)
    live.clock.forward(seconds=11)
    await refresh(door, ada.refresh)
    assert await is_let_in(door, other.access)
    assert (await refresh(door, other.refresh)).ok


async def test_of_fifty_refreshes_at_once_one_live_chain_remains(live: Live, ada: Person) -> None:
    doors = (live.rest, live.rpc)
    answers = await asyncio.gather(*(refresh(doors[n % 2], ada.refresh) for n in range(50)))
    assert {answer.outcome for answer in answers} <= {"ok", "invalid_token"}
    successors = {answer.body["refresh_token"] for answer in answers if answer.ok}
    assert len(successors) == 1
    _, rows = await live.database.client.execute_query("SELECT * FROM sessions")
    assert [(row["counter"], row["ended_at"]) for row in rows] == [(1, None)]
    pair = await refreshed(live.rest, successors.pop())
    assert await is_let_in(live.rpc, pair["access_token"])


async def test_a_chain_that_is_raced_at_every_link_stays_one(live: Live, ada: Person) -> None:
    token = ada.refresh
    for _ in range(5):
        answers = await asyncio.gather(*(refresh(d, token) for d in (live.rest, live.rpc) * 3))
        (token,) = {answer.body["refresh_token"] for answer in answers if answer.ok}
    assert (await refresh(live.rest, token)).ok


# When the database fails


@pytest.mark.parametrize("is_done", [False, True], ids=["before it was done", "after it was done"])
async def test_when_the_database_is_lost_at_a_rotation_a_retry_gets_the_successor(
    live: Live, door: Door, ada: Person, monkeypatch: pytest.MonkeyPatch, is_done: bool
) -> None:
    losses = _losing_the_rotation(live, monkeypatch, is_done=is_done)
    answer = await refresh(door, ada.refresh)
    assert (answer.outcome, losses) == ("unavailable", ["lost"])
    again = await refreshed(door, ada.refresh)
    assert await is_let_in(door, again["access_token"])
    assert (await refresh(door, again["refresh_token"])).ok
    _, rows = await live.database.client.execute_query("SELECT * FROM sessions")
    assert [(row["counter"], row["ended_at"]) for row in rows] == [(2, None)]


def _losing_the_rotation(
    live: Live, monkeypatch: pytest.MonkeyPatch, *, is_done: bool
) -> list[str]:
    """The first UPDATE of sessions loses its connection, before or after it was done."""
    kind = type(live.database.client)
    run, losses = kind.execute_query, list[str]()

    async def losing(self: Any, query: str, values: Any = None) -> Any:
        if losses or not (query.startswith("UPDATE") and "sessions" in query):
            return await run(self, query, values)
        losses.append("lost")
        if is_done:
            await run(self, query, values)
        raise DatabaseUnavailable("ConnectionError", lost=True)

    monkeypatch.setattr(kind, "execute_query", losing)
    return losses


async def test_of_two_endings_at_once_the_second_waits_for_the_first(
    live: Live, backend: str, ada: Person
) -> None:
    """Or a worker that heard of the second alone would go on believing the other session."""
    if backend == "sqlite":
        pytest.skip("SQLite has one writer: its changes commit in the order of their ids")
    sessions, other = live.services.auth._sessions, await live.people.sign_in(ada)
    owner, done = UUID(ada.id), []

    async def second() -> None:
        async with live.database.transaction():
            await sessions.end(UUID(other.session_id), "logout", of=owner)
            done.append("second")

    async with live.database.transaction():
        await sessions.end(UUID(ada.session_id), "logout", of=owner)
        task = asyncio.create_task(second(), context=Context())
        await asyncio.sleep(0.2)
        assert done == []
        done.append("first")
    await task
    assert done == ["first", "second"]


# Who may not refresh


@pytest.mark.parametrize("status", ["suspended", "inactive"])
async def test_a_barred_users_refresh_is_refused(
    live: Live, door: Door, ada: Person, status: str
) -> None:
    await live.services.users.set_status(SYSTEM, ada.id, {"status": status})
    assert (await refresh(door, ada.refresh)).outcome == "invalid_token"


async def test_a_deleted_users_refresh_is_refused(live: Live, door: Door, ada: Person) -> None:
    await live.services.users.delete(SYSTEM, ada.id)
    assert (await refresh(door, ada.refresh)).outcome == "invalid_token"


async def test_users_who_are_deleted_while_they_refresh_are_refused(live: Live, door: Door) -> None:
    for _ in range(5):
        eve = await live.people.signed_in("Eve")
        answers = await asyncio.gather(
            *(refresh(door, eve.refresh) for _ in range(4)),
            live.services.users.delete(SYSTEM, eve.id),
        )
        outcomes = {answer.outcome for answer in answers if answer is not None}
        assert outcomes <= {"ok", "invalid_token"}


def _of_another_salt(live: Live, ada: Person) -> str:
    """Made by somebody who has the key and not the database."""
    del live
    tokens = RefreshTokens(SECRET.encode())
    claim = tokens.read(ada.refresh)
    return tokens.mint(claim.session_id, claim.counter, b"x" * 16)


def _from_the_future(live: Live, ada: Person) -> str:
    del live
    return RefreshTokens(SECRET.encode()).mint(new_id(), 7, b"x" * 16)


def _flipped(_: Live, ada: Person) -> str:
    raw = bytearray(base64.urlsafe_b64decode(ada.refresh))
    raw[30] ^= 1
    return base64.urlsafe_b64encode(bytes(raw)).decode()


GARBAGE: dict[str, Any] = {
    "an access token": lambda _, ada: ada.access,
    "one of another salt": _of_another_salt,
    "one of no session": _from_the_future,
    "one bit flipped": _flipped,
    "cut short": lambda _, ada: ada.refresh[:-4],
    "padded": lambda _, ada: ada.refresh + "=",
    "a blank after": lambda _, ada: ada.refresh + " ",
    "twice": lambda _, ada: ada.refresh * 2,
    "a word": lambda *_: "nonsense",
    "an id": lambda *_: str(new_id()),
    "other letters": lambda *_: "ä" * 76,
    "zeroes": lambda *_: "A" * 76,
    "very long": lambda *_: "A" * 4096,
    "sql": lambda *_: "' OR 1=1 --",
    "nul": lambda *_: "\x00" * 76,
}


@pytest.mark.one_database
@pytest.mark.parametrize("kind", GARBAGE)
async def test_garbage_is_no_refresh_token_and_harms_no_session(
    live: Live, door: Door, ada: Person, kind: str
) -> None:
    assert (await refresh(door, GARBAGE[kind](live, ada))).outcome == "invalid_token"
    assert (await refresh(door, ada.refresh)).ok


@pytest.mark.one_database
@pytest.mark.parametrize("token", ["", "A" * 4097])
async def test_no_token_and_one_beyond_all_bounds_are_invalid_requests(
    door: Door, token: str
) -> None:
    answer = await refresh(door, token)
    assert set(answer.errors) == {"refresh_token"}


async def test_what_the_database_holds_is_no_token(live: Live, ada: Person) -> None:
    _, rows = await live.database.client.execute_query("SELECT * FROM sessions")
    held = str([dict(row) for row in rows])
    assert ada.refresh not in held
    assert ada.access not in held
    raw = base64.urlsafe_b64decode(ada.refresh)
    salts = [bytes(row["salt"]) for row in rows]
    assert all(salt not in raw for salt in salts)


# Logging out


async def test_a_log_out_ends_this_session_and_no_other(
    live: Live, door: Door, ada: Person
) -> None:
    other = await live.people.sign_in(ada)
    answer = await door.call("logout", bearer=ada.access)
    assert (answer.ok, answer.body) == (True, {})
    for gone in (live.rest, live.rpc):
        assert not await is_let_in(gone, ada.access)
        assert (await refresh(gone, ada.refresh)).outcome == "invalid_token"
    assert await is_let_in(door, other.access)
    again = await door.call("logout", bearer=ada.access)
    assert again.outcome == "invalid_token"


async def test_a_log_out_of_all_ends_every_session_of_the_caller_alone(
    live: Live, door: Door, ada: Person
) -> None:
    others = [await live.people.sign_in(ada) for _ in range(3)]
    bob = await live.people.signed_in("Bob")
    assert (await door.call("logout", bearer=ada.access, all=True)).ok
    for session in (ada, *others):
        assert not await is_let_in(door, session.access)
        assert (await refresh(door, session.refresh)).outcome == "invalid_token"
    assert await is_let_in(door, bob.access)


async def test_all_false_is_this_session_only(live: Live, door: Door, ada: Person) -> None:
    other = await live.people.sign_in(ada)
    assert (await door.call("logout", bearer=ada.access, all=False)).ok
    assert await is_let_in(door, other.access)


@pytest.mark.one_database
@pytest.mark.parametrize("query", ["all=yes", "all=1", "all=", "all=true&all=true", "every=true"])
async def test_a_log_out_that_is_not_understood_ends_nothing(
    live: Live, ada: Person, query: str
) -> None:
    headers = {"authorization": f"Bearer {ada.access}"}
    answer = await live.rest.client.post(f"{API}/auth/logout?{query}", headers=headers)
    assert answer.status_code == 400
    assert await is_let_in(live.rest, ada.access)


async def test_a_refresh_from_before_the_log_out_does_not_outlive_it(
    door: Door, ada: Person
) -> None:
    pair = await refreshed(door, ada.refresh)
    await door.call("logout", bearer=pair["access_token"])
    for token in (ada.refresh, pair["refresh_token"]):
        assert (await refresh(door, token)).outcome == "invalid_token"
