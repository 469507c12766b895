"""Access tokens at the doors: how they are sent, which are forged, what introspection tells."""

from typing import Any

import pytest

from service.core.access import SYSTEM
from tests.support.doors import Door, answer_of
from tests.support.forge import Forge
from tests.support.live import SECRET, Live
from tests.support.operations import API
from tests.support.people import People, Person

# How a token is sent


@pytest.mark.one_database
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer  "])
async def test_the_scheme_is_read_in_any_case(door: Door, ada: Person, scheme: str) -> None:
    headers = {"authorization": f"{scheme} {ada.access}"}
    assert (await door.call("who_am_i", headers=headers)).ok


@pytest.mark.one_database
@pytest.mark.parametrize(
    "form", ["{}", "Basic {}", "Token {}", "Bearer", "Bearer:{}", "Bearer {} x", "Bearer {},{}"]
)
async def test_any_other_form_is_an_invalid_token(door: Door, ada: Person, form: str) -> None:
    headers = {"authorization": form.format(ada.access, ada.access)}
    assert (await door.call("who_am_i", headers=headers)).outcome == "invalid_token"


@pytest.mark.one_database
async def test_two_authorization_headers_are_an_invalid_token(live: Live, ada: Person) -> None:
    twice = [("authorization", f"Bearer {ada.access}")] * 2
    answer = answer_of(await live.rest.client.get(f"{API}/auth/me", headers=twice))
    assert answer.outcome == "invalid_token"


@pytest.mark.one_database
async def test_a_token_anywhere_else_is_not_looked_at(live: Live, ada: Person) -> None:
    for where in (
        {"params": {"access_token": ada.access}},
        {"headers": {"cookie": f"access_token={ada.access}"}},
        {"headers": {"x-access-token": ada.access}},
    ):
        fields: Any = where
        answer = answer_of(await live.rest.client.get(f"{API}/auth/me", **fields))
        assert answer.outcome == "missing_token"


@pytest.mark.one_database
async def test_the_challenge_names_the_fault_of_a_token_and_none_without_one(
    live: Live, ada: Person
) -> None:
    missing = await live.rest.call("who_am_i")
    assert missing.headers["www-authenticate"] == 'Bearer realm="arcana"'
    invalid = await live.rest.call("who_am_i", bearer=ada.refresh)
    assert 'error="invalid_token"' in invalid.headers["www-authenticate"]


# Forged


@pytest.mark.one_database
@pytest.mark.parametrize("kind", sorted(set(Forge.KINDS) - {"a newline after", "a blank inside"}))
async def test_a_forged_token_is_refused(door: Door, root: Person, kind: str) -> None:
    forged = Forge(SECRET.encode()).make(kind, root.access)
    assert (await door.call("list_users", bearer=forged)).outcome == "invalid_token"


@pytest.mark.one_database
async def test_roles_written_into_a_token_by_hand_do_not_help(door: Door, ada: Person) -> None:
    forged = Forge(b"a guess at the secret of thirty-two bytes").resigned(
        ada.access, claims={"roles": ["admin"]}
    )
    assert (await door.call("list_users", bearer=forged)).outcome == "invalid_token"


async def test_a_token_expires_at_the_second(live: Live, door: Door, ada: Person) -> None:
    live.clock.forward(minutes=59, seconds=59)
    assert (await door.call("who_am_i", bearer=ada.access)).ok
    live.clock.forward(seconds=1)
    assert (await door.call("who_am_i", bearer=ada.access)).outcome == "invalid_token"


# Introspection

CLAIMS = {"active", "token_type", "sub", "sid", "jti", "iss", "aud", "iat", "exp", "roles"}


async def told(door: Door, asker: Person, token: str, **hint: str) -> dict[str, Any]:
    answer = await door.call("introspect", bearer=asker.access, token=token, **hint)
    assert answer.ok, answer
    return answer.body


async def test_of_a_good_token_its_claims_are_told(
    live: Live, door: Door, root: Person, ada: Person
) -> None:
    body = await told(door, root, ada.access)
    assert set(body) == CLAIMS
    assert (body["active"], body["sub"], body["roles"]) == (True, ada.id, ["user"])
    assert (body["iss"], body["aud"], body["token_type"]) == ("arcana", "arcana", "Bearer")
    assert body["iat"] == int(live.clock().timestamp())
    assert body["exp"] - body["iat"] == 3600
    assert await told(door, root, ada.access, token_type_hint="access_token") == body
    assert await told(door, root, ada.access, token_type_hint="refresh_token") == body


async def test_both_doors_tell_the_same(live: Live, root: Person, ada: Person) -> None:
    assert await told(live.rest, root, ada.access) == await told(live.rpc, root, ada.access)


async def _after_log_out(live: Live, ada: Person) -> str:
    await live.rest.call("logout", bearer=ada.access)
    return ada.access


async def _after_suspension(live: Live, ada: Person) -> str:
    await live.services.users.set_status(SYSTEM, ada.id, {"status": "suspended"})
    return ada.access


async def _after_delete(live: Live, ada: Person) -> str:
    await live.services.users.delete(SYSTEM, ada.id)
    return ada.access


async def _after_its_hour(live: Live, ada: Person) -> str:
    del ada
    return (await live.people.expired()).access


async def _after_a_grant(live: Live, ada: Person) -> str:
    await live.services.roles.grant(SYSTEM, ada.id, "service")
    return ada.access


async def _refresh(live: Live, ada: Person) -> str:
    del live
    return ada.refresh


async def _nonsense(live: Live, ada: Person) -> str:
    del live, ada
    return "nonsense"


async def _forged(live: Live, ada: Person) -> str:
    del live
    return Forge(SECRET.encode()).make("alg none", ada.access)


WORTHLESS = (
    _after_log_out,
    _after_suspension,
    _after_delete,
    _after_its_hour,
    _after_a_grant,
    _refresh,
    _nonsense,
    _forged,
)


@pytest.mark.parametrize("way", WORTHLESS, ids=lambda way: way.__name__.strip("_"))
async def test_of_a_token_that_is_worth_nothing_only_that_is_told(
    live: Live, door: Door, root: Person, ada: Person, way: Any
) -> None:
    assert await told(door, root, await way(live, ada)) == {"active": False}


async def test_a_service_may_ask(door: Door, people: People, ada: Person) -> None:
    machine = await people.signed_in("Machine", "service")
    assert (await told(door, machine, ada.access))["active"] is True


async def test_a_form_may_come_instead_of_json(live: Live, root: Person, ada: Person) -> None:
    answer = await live.rest.client.post(
        f"{API}/auth/introspect",
        data={"token": ada.access, "token_type_hint": "access_token", "unknown": "x"},
        headers={"authorization": f"Bearer {root.access}"},
    )
    assert answer.json() == await told(live.rest, root, ada.access)


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("kind", "content", "status"),
    [
        ("application/x-www-form-urlencoded", "token=a&token=b", 400),
        ("application/x-www-form-urlencoded", "token_type_hint=a", 400),
        ("application/x-www-form-urlencoded", "token=%FF", 400),
        ("application/json", '{"token": ""}', 400),
        ("application/json", "{}", 400),
        ("application/json", '{"token": 1}', 400),
        ("text/plain", "token=a", 415),
        ("multipart/form-data; boundary=x", "--x--", 415),
    ],
)
async def test_a_question_that_is_not_understood_is_refused(
    live: Live, root: Person, kind: str, content: str, status: int
) -> None:
    answer = await live.rest.client.post(
        f"{API}/auth/introspect",
        content=content,
        headers={"authorization": f"Bearer {root.access}", "content-type": kind},
    )
    assert answer.status_code == status


@pytest.mark.one_database
async def test_parameters_that_are_not_known_are_passed_over(live: Live, root: Person) -> None:
    answer = await live.rest.call("introspect", bearer=root.access, token="x", more="y")
    assert answer.body == {"active": False}


async def test_a_token_that_knows_of_a_change_before_its_worker_is_taken(
    live: Live, door: Door, ada: Person
) -> None:
    assert (await door.call("who_am_i", bearer=ada.access)).ok
    raised = f"UPDATE users SET token_epoch = token_epoch + 1 WHERE id = '{ada.id}'"
    await live.database.client.execute_script(raised)  # as another worker's, not yet heard of
    pair = (await door.call("refresh", refresh_token=ada.refresh)).body
    assert (await door.call("who_am_i", bearer=pair["access_token"])).ok
    assert (await door.call("who_am_i", bearer=ada.access)).outcome == "invalid_token"
