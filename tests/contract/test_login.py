"""Registering and logging in: no answer tells who has an account."""

from typing import Any

import pytest

from service.core.access import SYSTEM
from tests.support.doors import Answer, Door
from tests.support.live import Live
from tests.support.operations import API
from tests.support.people import PASSWORD, Person

GRACE: dict[str, Any] = {"name": "Grace", "email": "Grace@Example.com", "password": PASSWORD}


async def log_in(door: Door, email: str, password: str = PASSWORD) -> Answer:
    return await door.call("login", email=email, password=password)


# Registering


async def test_whoever_registers_has_an_account_and_can_log_in(live: Live, door: Door) -> None:
    made = await door.call("register", **GRACE)
    assert made.ok
    assert (made.body["email"], made.body["status"]) == ("grace@example.com", "active")
    assert (made.body["roles"], made.body["email_verified"]) == (["user"], False)
    pair = (await log_in(door, "grace@example.com")).body
    own = await door.call("who_am_i", bearer=pair["access_token"])
    assert own.body == made.body
    del live


async def test_a_registered_user_is_where_location_says(live: Live) -> None:
    made = await live.rest.call("register", **GRACE)
    assert made.headers["location"] == f"{API}/users/{made.body['id']}"


@pytest.mark.one_database
async def test_nobody_registers_as_an_admin(live: Live) -> None:
    for extra in ({"roles": ["admin"]}, {"status": "active"}, {"email_verified": True}):
        answer = await live.rest.call("register", **GRACE, **extra)
        assert set(answer.errors) == set(extra)


async def test_the_password_is_hashed_once_and_stored_as_a_hash_only(
    live: Live, door: Door
) -> None:
    live.hasher.reset()
    assert (await door.call("register", **GRACE)).ok
    assert live.hasher.hashed == 1
    _, rows = await live.database.client.execute_query("SELECT * FROM users")
    (row,) = rows
    assert row["password_hash"].startswith("$argon2id$")
    assert PASSWORD not in str(dict(row))


async def test_what_is_refused_is_not_hashed(live: Live, door: Door) -> None:
    live.hasher.reset()
    await door.call("register", **GRACE | {"name": ""})
    assert live.hasher.hashed == 0


# Logging in


async def test_a_log_in_gives_a_pair_of_tokens(door: Door, ada: Person) -> None:
    body = (await log_in(door, f" {ada.email.upper()} ")).body
    assert set(body) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3600)
    assert (await door.call("who_am_i", bearer=body["access_token"])).body["id"] == ada.id


async def test_every_log_in_begins_a_session_of_its_own(door: Door, ada: Person) -> None:
    one, two = (await log_in(door, ada.email)).body, (await log_in(door, ada.email)).body
    await door.call("logout", bearer=one["access_token"])
    assert (await door.call("who_am_i", bearer=two["access_token"])).ok


async def _nobody(live: Live) -> str:
    del live
    return "nobody@example.com"


async def _no_address(live: Live) -> str:
    del live
    return "no address at all"


async def _suspended(live: Live) -> str:
    return (await live.people.suspended()).email


async def _inactive(live: Live) -> str:
    person = await live.people.make("Ian")
    await live.services.users.set_status(SYSTEM, person.id, {"status": "inactive"})
    return person.email


async def _deleted(live: Live) -> str:
    person = await live.people.make("Dora")
    await live.services.users.delete(SYSTEM, person.id)
    return person.email


async def _imported(live: Live) -> str:
    line = {"name": "Ivy", "email": "ivy@example.com"}
    assert await live.services.imports.import_batch(SYSTEM, [line]) == [None]
    return "ivy@example.com"


async def _wrong_password(live: Live) -> str:
    return (await live.people.make("Ada", password="another password")).email


NOT_LET_IN = (
    _wrong_password,
    _nobody,
    _no_address,
    _suspended,
    _inactive,
    _deleted,
    _imported,
)


@pytest.mark.parametrize("who", NOT_LET_IN, ids=lambda who: who.__name__.strip("_"))
async def test_whoever_is_not_let_in_hears_one_answer_for_the_same_work(
    live: Live, door: Door, who: Any
) -> None:
    email = await who(live)
    live.hasher.reset()
    answer = await log_in(door, email)
    assert answer.outcome == "invalid_credentials"
    assert answer.message == (
        "The e-mail or the password is wrong, or the account may not sign in."
    )
    assert (live.hasher.verified, live.hasher.hashed) == (1, 0)


@pytest.mark.parametrize("who", [_suspended, _inactive, _imported])
async def test_the_wrong_password_of_a_barred_account_sounds_the_same(
    live: Live, door: Door, who: Any
) -> None:
    answer = await log_in(door, await who(live), "a wrong password")
    assert answer.outcome == "invalid_credentials"


@pytest.mark.parametrize(
    "password", ["", " ", PASSWORD.upper(), f"{PASSWORD} ", f" {PASSWORD}", PASSWORD[:-1]]
)
async def test_a_password_is_right_or_wrong_to_the_last_character(
    door: Door, ada: Person, password: str
) -> None:
    answer = await log_in(door, ada.email, password)
    assert answer.outcome == ("invalid_credentials" if password else "invalid_request")


async def test_a_hash_of_old_parameters_is_made_anew_at_log_in(
    live: Live, door: Door, ada: Person
) -> None:
    before = await _hash(live)
    live.hasher.reset()
    assert (await log_in(door, ada.email)).ok
    assert (live.hasher.hashed, await _hash(live)) == (0, before)
    live.hasher.outdated = True
    assert (await log_in(door, ada.email)).ok
    after = await _hash(live)
    assert live.hasher.hashed == 1
    assert after != before
    live.hasher.outdated = False
    assert (await log_in(door, ada.email)).ok


async def test_a_wrong_password_never_makes_a_hash_anew(
    live: Live, door: Door, ada: Person
) -> None:
    live.hasher.reset()
    live.hasher.outdated = True
    assert not (await log_in(door, ada.email, "a wrong password")).ok
    assert live.hasher.hashed == 0


async def _hash(live: Live) -> str:
    _, rows = await live.database.client.execute_query("SELECT password_hash FROM users")
    return str(rows[0]["password_hash"])


@pytest.mark.one_database
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "a@example.com"},
        {"email": None, "password": "x"},
        {"email": ["a@example.com"], "password": "x"},
        {"email": "a@example.com", "password": 12345678},
        {"email": "a@example.com", "password": "x", "admin": True},
        {"email": "a@example.com", "password": "x" * 4097},
        {"email": {"$ne": ""}, "password": {"$ne": ""}},
    ],
)
async def test_a_log_in_that_is_not_two_texts_is_invalid(live: Live, body: dict[str, Any]) -> None:
    assert (await live.rest.call("login", **body)).outcome == "invalid_request"


@pytest.mark.one_database
async def test_half_of_a_surrogate_pair_is_no_password(live: Live) -> None:
    answer = await live.rest.client.post(
        f"{API}/auth/login",
        content=b'{"email": "a@example.com", "password": "\\ud800"}',
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 400
