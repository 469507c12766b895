"""Changing one's password: by whoever knows the current one, and every other session ends."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from service.auth.errors import InvalidCredentials
from service.core.access import SYSTEM, Actor
from service.core.rates import PASSWORD_CHECKS
from tests.support.doors import Answer, Door
from tests.support.live import Live
from tests.support.people import PASSWORD, Person

NEW = "a horse of another colour"


async def change(door: Door, person: Person, **fields: Any) -> Answer:
    given = {"user_id": person.id, "current_password": person.password, "password": NEW, **fields}
    return await door.call("change_password", bearer=person.access, **given)


async def log_in(door: Door, person: Person, password: str) -> str:
    return (await door.call("login", email=person.email, password=password)).outcome


async def is_let_in(door: Door, person: Person) -> bool:
    return (await door.call("who_am_i", bearer=person.access)).ok


async def reasons(live: Live) -> Counter[str | None]:
    rows = await live.database.client.execute_query_dict("SELECT ended_why FROM sessions")
    return Counter(row["ended_why"] for row in rows)


async def test_the_new_password_opens_the_account_and_the_old_one_no_more(
    door: Door, ada: Person
) -> None:
    answer = await change(door, ada)
    assert (answer.ok, answer.body) == (True, {})
    assert await log_in(door, ada, NEW) == "ok"
    assert await log_in(door, ada, PASSWORD) == "invalid_credentials"


async def test_every_other_session_ends_and_this_one_lives(
    live: Live, door: Door, ada: Person
) -> None:
    others = [await live.people.sign_in(ada) for _ in range(2)]
    bob = await live.people.signed_in("Bob")
    assert all([await is_let_in(each, other) for each in (live.rest, live.rpc) for other in others])
    assert (await change(door, ada)).ok
    for each in (live.rest, live.rpc):
        assert not any([await is_let_in(each, other) for other in others])
        assert await is_let_in(each, ada)
        assert await is_let_in(each, bob)
    assert (await door.call("refresh", refresh_token=others[0].refresh)).outcome == "invalid_token"
    assert (await door.call("refresh", refresh_token=ada.refresh)).ok
    assert await reasons(live) == {"password_changed": 2, None: 2}


@pytest.mark.parametrize("wrong", ["no", "", PASSWORD.upper(), f"{PASSWORD} "])
async def test_without_the_current_password_nothing_changes(
    live: Live, door: Door, ada: Person, wrong: str
) -> None:
    other = await live.people.sign_in(ada)
    answer = await change(door, ada, current_password=wrong)
    assert answer.outcome == "wrong_password"
    assert await is_let_in(door, other)
    assert await log_in(door, ada, PASSWORD) == "ok"


@pytest.mark.one_database
@pytest.mark.parametrize(
    "bad", ["short", "password123", "x" * 1025, "Ada Ada", "", PASSWORD, "\x00" * 3]
)
async def test_a_password_that_is_not_good_enough_is_refused(
    live: Live, door: Door, bad: str
) -> None:
    ada = await live.people.signed_in("Ada Ada", email="ada.ada@example.com")
    answer = await change(door, ada, password=bad)
    assert (answer.outcome, set(answer.errors)) == ("invalid_request", {"password"})
    assert await log_in(door, ada, PASSWORD) == "ok"


@pytest.mark.one_database
async def test_one_s_own_address_is_no_password(live: Live, door: Door) -> None:
    ada = await live.people.signed_in("Ada", email="countess@example.com")
    for own in ("countess@example.com", "Countess1815"):
        answer = await change(door, ada, password=own)
        assert (answer.outcome, set(answer.errors)) == ("invalid_request", {"password"})


@pytest.mark.one_database
async def test_both_passwords_must_be_given(live: Live, ada: Person) -> None:
    for fields in ({"password": NEW}, {"current_password": PASSWORD}, {}, {"passwort": NEW}):
        answer = await live.rest.call(
            "change_password", bearer=ada.access, user_id=ada.id, **fields
        )
        assert answer.outcome == "invalid_request"


@pytest.mark.one_database
async def test_a_password_is_the_same_however_its_accents_are_typed(
    live: Live, door: Door, ada: Person
) -> None:
    assert (await change(door, ada, password="Ame\u0301lie et Rene\u0301e")).ok
    assert await log_in(door, ada, "Amélie et Renée") == "ok"
    again = {"current_password": "Amélie et Renée", "password": "Ame\u0301lie et Rene\u0301e"}
    assert set((await change(door, ada, **again)).errors) == {"password"}


async def test_not_even_an_admin_changes_anothers_password_here(
    door: Door, ada: Person, root: Person
) -> None:
    fields = {"user_id": ada.id, "current_password": PASSWORD, "password": NEW}
    answer = await door.call("change_password", bearer=root.access, **fields)
    assert answer.outcome == "forbidden"
    assert await log_in(door, ada, PASSWORD) == "ok"


async def test_who_has_no_password_cannot_change_it(live: Live, door: Door, ada: Person) -> None:
    await live.database.client.execute_script("UPDATE users SET password_hash = NULL")
    assert (await change(door, ada)).outcome == "wrong_password"
    assert (await change(door, ada, current_password="")).outcome == "wrong_password"


@pytest.mark.one_database
async def test_guesses_are_limited_for_a_user(live: Live, door: Door, ada: Person) -> None:
    live.limits.on = True
    guesses = [await change(door, ada, current_password="no") for _ in range(11)]
    outcomes = Counter(answer.outcome for answer in guesses)
    assert outcomes == {"wrong_password": PASSWORD_CHECKS.at_most, "rate_limited": 1}
    assert (await change(door, ada)).outcome == "rate_limited"


async def test_of_two_changes_at_once_one_is_made(live: Live, ada: Person) -> None:
    doors = (live.rest, live.rpc)
    answers = await asyncio.gather(
        *(change(doors[n % 2], ada, password=f"{NEW} {n}") for n in range(6))
    )
    assert Counter(a.outcome for a in answers) == {"ok": 1, "wrong_password": 5}
    (winner,) = [number for number, answer in enumerate(answers) if answer.ok]
    entered = [await log_in(live.rest, ada, f"{NEW} {number}") for number in range(6)]
    assert [number for number, said in enumerate(entered) if said == "ok"] == [winner]


async def test_a_change_survives_a_log_in_that_makes_the_hash_anew(
    live: Live, door: Door, ada: Person
) -> None:
    live.hasher.outdated = True
    changed, entered = await asyncio.gather(change(door, ada), log_in(door, ada, PASSWORD))
    live.hasher.outdated = False
    assert changed.ok, changed
    assert entered in ("ok", "invalid_credentials")
    assert await log_in(door, ada, NEW) == "ok"


async def test_a_log_in_with_the_old_password_does_not_outlive_the_change(
    live: Live, ada: Person
) -> None:
    """The old password is verified, then it is changed, and only then the session would begin."""
    hold, changed = live.services.auth._accounts.hold, asyncio.Event()

    async def late(user_id: Any) -> Any:
        if not changed.is_set():
            changed.set()
            change = {"current_password": PASSWORD, "password": NEW}
            await live.services.users.change_password(_as(ada), ada.id, change)
        return await hold(user_id)

    accounts: Any = live.services.auth._accounts
    accounts.hold = late
    try:
        async with asyncio.timeout(20):
            with pytest.raises(InvalidCredentials):
                await live.services.auth.login(SYSTEM, {"email": ada.email, "password": PASSWORD})
    finally:
        del accounts.hold
    rows = await live.database.client.execute_query_dict("SELECT ended_at FROM sessions")
    assert len(rows) == 1


def _as(person: Person) -> Actor:
    return Actor(UUID(person.id), UUID(person.session_id))
