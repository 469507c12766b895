"""Limits: tries are counted per account and per address, in one count for both doors."""

import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from service.core.rates import (
    LOGINS_BY_ACCOUNT,
    LOGINS_BY_ADDRESS,
    PASSWORD_CHECKS,
    REGISTRATIONS_BY_ACCOUNT,
    REGISTRATIONS_BY_ADDRESS,
)
from tests.support.doors import Answer, Door, Rest
from tests.support.live import Live
from tests.support.people import PASSWORD, Person

pytestmark = pytest.mark.one_database


@pytest_asyncio.fixture(autouse=True)
async def limited(live: Live, ada: Person) -> None:
    """Limits are on; making ``ada`` counted for nothing."""
    del ada
    live.limits.on = True


@pytest_asyncio.fixture
async def elsewhere(live: Live) -> AsyncIterator[Rest]:
    """The REST door as seen from another address."""
    transport = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
    url = f"http://127.0.0.1:{live.http_port}"
    async with httpx.AsyncClient(base_url=url, transport=transport) as client:
        yield Rest(client)


async def guess(door: Door, email: str) -> Answer:
    return await door.call("login", email=email, password="a wrong guess")


async def register(door: Door, email: str) -> Answer:
    account: dict[str, Any] = {"name": "New", "email": email, "password": PASSWORD}
    return await door.call("register", **account)


def turns(live: Live) -> Iterator[Door]:
    return itertools.cycle([live.rest, live.rpc])


def is_limited(answer: Answer) -> bool:
    if answer.outcome == "rate_limited":
        assert answer.retry_after is not None
        assert 1 <= answer.retry_after <= 60
    return answer.outcome == "rate_limited"


async def test_guessing_at_one_account_ends_after_ten_tries_at_both_doors(
    live: Live, ada: Person
) -> None:
    doors = turns(live)
    for _ in range(LOGINS_BY_ACCOUNT.at_most):
        assert (await guess(next(doors), ada.email)).outcome == "invalid_credentials"
    for door in (live.rest, live.rpc):
        assert is_limited(await guess(door, ada.email))
        assert is_limited(await door.call("login", email=ada.email, password=PASSWORD))
    live.clock.forward(minutes=1)
    assert (await live.rpc.call("login", email=ada.email, password=PASSWORD)).ok


async def test_an_account_is_one_in_every_spelling(live: Live, door: Door, ada: Person) -> None:
    spellings = itertools.cycle([ada.email, ada.email.upper(), f"  {ada.email} "])
    for _ in range(LOGINS_BY_ACCOUNT.at_most):
        await guess(door, next(spellings))
    assert is_limited(await guess(door, ada.email.title()))
    del live


async def test_an_account_that_does_not_exist_is_limited_alike(door: Door) -> None:
    for _ in range(LOGINS_BY_ACCOUNT.at_most):
        assert (await guess(door, "nobody@example.com")).outcome == "invalid_credentials"
    assert is_limited(await guess(door, "nobody@example.com"))


async def test_other_accounts_are_not_held_up(live: Live, door: Door, ada: Person) -> None:
    for _ in range(LOGINS_BY_ACCOUNT.at_most + 1):
        await guess(door, ada.email)
    bob = await live.people.make("Bob")
    assert (await door.call("login", email=bob.email, password=PASSWORD)).ok


async def test_the_right_password_starts_the_count_anew(door: Door, ada: Person) -> None:
    for _ in range(3):
        for _ in range(LOGINS_BY_ACCOUNT.at_most - 1):
            assert (await guess(door, ada.email)).outcome == "invalid_credentials"
        assert (await door.call("login", email=ada.email, password=PASSWORD)).ok


async def test_what_is_limited_is_not_hashed(live: Live, door: Door, ada: Person) -> None:
    for _ in range(LOGINS_BY_ACCOUNT.at_most):
        await guess(door, ada.email)
    live.hasher.reset()
    assert is_limited(await guess(door, ada.email))
    assert live.hasher.verified == 0


async def test_one_address_has_a_limit_over_all_accounts_and_both_doors(
    live: Live, elsewhere: Rest, ada: Person
) -> None:
    doors = turns(live)
    for n in range(LOGINS_BY_ADDRESS.at_most):
        assert (await guess(next(doors), f"guess-{n}@example.com")).code == "invalid_credentials"
    for door in (live.rest, live.rpc):
        assert is_limited(await door.call("login", email=ada.email, password=PASSWORD))
    assert (await elsewhere.call("login", email=ada.email, password=PASSWORD)).ok


async def test_an_address_cannot_be_made_up(live: Live) -> None:
    for n in range(LOGINS_BY_ADDRESS.at_most):
        headers = {"x-forwarded-for": f"198.51.100.{n}", "forwarded": f"for=198.51.100.{n}"}
        arguments = {"email": f"guess-{n}@example.com", "password": "a wrong guess"}
        await live.rest.call("login", headers=headers, **arguments)
    headers = {"x-forwarded-for": "203.0.113.1"}
    answer = await live.rest.call("login", headers=headers, email="x@example.com", password="x")
    assert is_limited(answer)


async def test_registering_has_a_limit_per_address_at_both_doors(
    live: Live, elsewhere: Rest
) -> None:
    doors = turns(live)
    for n in range(REGISTRATIONS_BY_ADDRESS.at_most):
        assert (await register(next(doors), f"new-{n}@example.com")).ok
    for door in (live.rest, live.rpc):
        assert is_limited(await register(door, "one-more@example.com"))
    assert (await register(elsewhere, "one-more@example.com")).ok


async def test_registering_one_address_over_and_over_has_a_limit(live: Live, ada: Person) -> None:
    doors = turns(live)
    for _ in range(REGISTRATIONS_BY_ACCOUNT.at_most):
        assert (await register(next(doors), ada.email)).outcome == "email_taken"
    for door in (live.rest, live.rpc):
        assert is_limited(await register(door, ada.email.upper()))


async def test_proving_the_current_password_has_a_limit(live: Live, ada: Person) -> None:
    doors = turns(live)
    change: dict[str, Any] = {"id": ada.id, "email": "new@example.com"}
    for _ in range(PASSWORD_CHECKS.at_most):
        answer = await next(doors).call(
            "update_user", bearer=ada.access, current_password="a wrong guess", **change
        )
        assert answer.outcome == "wrong_password"
    for door in (live.rest, live.rpc):
        answer = await door.call(
            "update_user", bearer=ada.access, current_password=PASSWORD, **change
        )
        assert is_limited(answer)


async def test_reading_is_not_limited_with_it(door: Door, ada: Person) -> None:
    for _ in range(LOGINS_BY_ACCOUNT.at_most + 1):
        await guess(door, ada.email)
    assert (await door.call("who_am_i", bearer=ada.access)).ok


@pytest.mark.parametrize("count", [11])
async def test_retry_after_says_how_much_of_the_minute_is_left(
    live: Live, door: Door, ada: Person, count: int
) -> None:
    for _ in range(count):
        await guess(door, ada.email)
    live.clock.forward(seconds=40)
    answer = await guess(door, ada.email)
    assert answer.outcome == "rate_limited"
    assert answer.retry_after == 20
