"""Personal API keys at both doors: made once, used within their scopes, gone in time."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest

from service.api_keys import repository
from service.api_keys.repository import MOST, _read
from service.core.access import SYSTEM
from service.core.credentials import CredentialForm
from service.core.ids import new_id
from service.core.scopes import ROLES_READ, ROLES_WRITE, SCOPES, USERS_READ, USERS_WRITE
from tests.support.doors import Answer, Door
from tests.support.live import Live
from tests.support.operations import API
from tests.support.people import People, Person

FIELDS = {"id", "name", "hint", "scopes", "created_at", "expires_at", "last_used_at"}


async def create(door: Door, who: Person, **more: Any) -> Answer:
    wanted: dict[str, Any] = {"name": "Backup", "scopes": [USERS_READ], "user_id": who.id, **more}
    return await door.call("create_api_key", bearer=who.access, **wanted)


async def listed(door: Door, who: Person, asker: Person | None = None) -> list[dict[str, Any]]:
    answer = await door.call("list_api_keys", bearer=(asker or who).access, user_id=who.id)
    assert answer.ok, answer
    data: list[dict[str, Any]] = answer.body["data"]
    return data


# Made


async def test_a_key_is_told_once_and_speaks_for_its_owner(
    live: Live, door: Door, ada: Person
) -> None:
    made = await create(door, ada, name="  Backup at home  ", expires_in_days=30)
    assert set(made.body) == {*FIELDS, "key"}
    assert made.body["name"] == "Backup at home"
    assert made.body["created_at"] == "2026-03-14T15:09:26.535897Z"
    assert made.body["expires_at"] == "2026-04-13T15:09:26.535897Z"
    assert made.body["key"].startswith(made.body["hint"])
    known = {name: made.body[name] for name in FIELDS}
    for either in (live.rest, live.rpc):
        assert await listed(either, ada) == [known]
        me = await either.call("who_am_i", bearer=made.body["key"])
        assert me.body["id"] == ada.id


async def test_where_it_is_stands_in_location(live: Live, ada: Person) -> None:
    made = await create(live.rest, ada)
    assert made.headers["location"] == f"{API}/users/{ada.id}/api-keys/{made.body['id']}"
    assert made.headers["cache-control"] == "no-store"


async def test_without_an_expiry_it_lasts(live: Live, door: Door, ada: Person) -> None:
    made = await create(door, ada)
    assert made.body["expires_at"] is None
    live.clock.forward(days=3650)
    assert (await door.call("who_am_i", bearer=made.body["key"])).ok


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 101),
        ("name", "a\x00b"),
        ("scopes", []),
        ("scopes", ["users:own"]),
        ("scopes", [""]),
        ("scopes", [USERS_READ] * (len(SCOPES) + 1)),
        ("expires_in_days", 0),
        ("expires_in_days", -1),
        ("expires_in_days", 366),
    ],
)
async def test_what_can_not_be_a_key_is_refused_by_field(
    door: Door, ada: Person, field: str, value: Any
) -> None:
    answer = await create(door, ada, **{field: value})
    assert answer.outcome == "invalid_request"
    assert set(answer.errors) == {field}


@pytest.mark.one_database
async def test_an_unknown_scope_is_answered_with_those_that_are_known(
    door: Door, ada: Person
) -> None:
    answer = await create(door, ada, scopes=["everything"])
    assert all(scope in answer.errors["scopes"][0] for scope in SCOPES)
    assert "everything" not in answer.errors["scopes"][0]


async def test_a_scope_that_comes_twice_is_one(door: Door, ada: Person) -> None:
    made = await create(door, ada, scopes=[ROLES_READ, USERS_READ, ROLES_READ])
    assert made.body["scopes"] == [USERS_READ, ROLES_READ]


async def test_an_idempotency_key_is_refused_for_no_answer_with_a_secret_is_kept(
    door: Door, ada: Person
) -> None:
    headers = {"idempotency-key": str(new_id())}
    answer = await create(door, ada, headers=headers)
    assert (answer.outcome, set(answer.errors)) == ("invalid_request", {"idempotency-key"})
    assert await listed(door, ada) == []


async def test_so_many_keys_one_may_have_and_no_more_however_they_are_asked_for(
    live: Live, door: Door, ada: Person
) -> None:
    for _ in range(MOST - 2):
        await live.people.api_key(ada)
    answers = await asyncio.gather(*(create(door, ada) for _ in range(6)))
    assert sorted(answer.outcome for answer in answers) == ["api_key_limit"] * 4 + ["ok"] * 2
    one = (await listed(door, ada))[0]
    gone = await door.call("revoke_api_key", bearer=ada.access, user_id=ada.id, key_id=one["id"])
    assert gone.ok
    assert (await create(door, ada)).ok


async def test_a_service_account_has_client_secrets_instead(door: Door, people: People) -> None:
    machine = await people.signed_in("Machine", "service")
    assert (await create(door, machine)).outcome == "forbidden"


async def test_not_even_an_admin_makes_keys_for_another(
    door: Door, root: Person, ada: Person
) -> None:
    answer = await door.call(
        "create_api_key", bearer=root.access, user_id=ada.id, name="x", scopes=[USERS_READ]
    )
    assert answer.outcome == "forbidden"


# Used


async def test_it_does_what_its_scopes_name(live: Live, door: Door, root: Person) -> None:
    reader = await live.people.api_key(root, USERS_READ)
    assert (await door.call("list_users", bearer=reader)).ok
    answer = await door.call("create_role", bearer=reader, name="editor")
    assert answer.outcome == "insufficient_scope"
    writer = await live.people.api_key(root, ROLES_WRITE)
    assert (await door.call("create_role", bearer=writer, name="editor")).ok
    assert (await door.call("grant_role", bearer=writer, user_id=root.id, name="editor")).ok
    assert (await door.call("revoke_role", bearer=writer, user_id=root.id, name="editor")).ok
    assert (await door.call("list_roles", bearer=writer)).outcome == "insufficient_scope"


async def test_it_never_gives_more_than_its_owner_s_roles(
    live: Live, door: Door, ada: Person, root: Person
) -> None:
    key = await live.people.api_key(ada)
    assert (await door.call("list_users", bearer=key)).outcome == "forbidden"
    assert (await door.call("get_user", bearer=key, id=root.id)).outcome == "forbidden"


async def test_its_owner_s_roles_are_those_of_now(live: Live, door: Door, ada: Person) -> None:
    key = await live.people.api_key(ada)
    assert (await door.call("list_users", bearer=key)).outcome == "forbidden"
    await live.services.roles.grant(SYSTEM, ada.id, "admin")
    assert (await door.call("list_users", bearer=key)).ok
    await live.people.signed_in("Other", "admin")
    await live.services.roles.revoke(SYSTEM, ada.id, "admin")
    assert (await door.call("list_users", bearer=key)).outcome == "forbidden"


@pytest.mark.one_database
async def test_the_challenge_names_the_scope_that_is_missing(live: Live, ada: Person) -> None:
    key = await live.people.api_key(ada, ROLES_READ)
    lacking = await live.rest.call("update_me", bearer=key, name="Eve")
    assert lacking.headers["www-authenticate"] == (
        f'Bearer realm="arcana", error="insufficient_scope", scope="{USERS_WRITE}"'
    )
    closed = await live.rest.call("logout", bearer=key)
    assert closed.headers["www-authenticate"] == (
        'Bearer realm="arcana", error="insufficient_scope"'
    )


@pytest.mark.one_database
async def test_no_key_sees_the_dependencies(live: Live, root: Person) -> None:
    key = await live.people.api_key(root)
    headers = {"authorization": f"Bearer {key}"}
    answer = await live.rest.client.get("/health/ready", headers=headers)
    assert answer.json() == {"status": "ready"}


async def test_a_stream_may_be_read_by_key(live: Live, root: Person) -> None:
    key = await live.people.api_key(root, USERS_READ)
    answer = await live.rpc.call("stream_users", bearer=key)
    assert [user["id"] for user in answer.body["data"]] == [root.id]


# Gone


async def revoked(live: Live, door: Door, ada: Person) -> None:
    (known,) = await listed(door, ada)
    answer = await door.call(
        "revoke_api_key", bearer=ada.access, user_id=ada.id, key_id=known["id"]
    )
    assert answer.ok


async def expired(live: Live, door: Door, ada: Person) -> None:
    live.clock.forward(days=1)


async def suspended(live: Live, door: Door, ada: Person) -> None:
    await live.services.users.set_status(SYSTEM, ada.id, {"status": "suspended"})


async def deleted(live: Live, door: Door, ada: Person) -> None:
    await live.services.users.delete(SYSTEM, ada.id)


@pytest.mark.parametrize("end", [revoked, expired, suspended, deleted])
async def test_a_key_that_has_ended_is_an_invalid_token_at_once(
    live: Live, door: Door, root: Person, ada: Person, end: Any
) -> None:
    key = (await create(door, ada, expires_in_days=1)).body["key"]
    assert (await door.call("who_am_i", bearer=key)).ok
    await end(live, door, ada)
    for either in (live.rest, live.rpc):
        assert (await either.call("who_am_i", bearer=key)).outcome == "invalid_token"
    if end is not expired:  # the admin's own token expires as well
        told = await door.call("introspect", bearer=root.access, token=key)
        assert told.body == {"active": False}


async def test_a_suspended_owner_s_keys_work_again_with_the_owner(
    live: Live, door: Door, ada: Person
) -> None:
    key = await live.people.api_key(ada)
    await suspended(live, door, ada)
    assert (await door.call("who_am_i", bearer=key)).outcome == "invalid_token"
    await live.services.users.set_status(SYSTEM, ada.id, {"status": "active"})
    assert (await door.call("who_am_i", bearer=key)).ok


async def test_log_out_ends_no_key(live: Live, door: Door, ada: Person) -> None:
    key = await live.people.api_key(ada)
    await door.call("logout", bearer=ada.access, all=True)
    assert (await door.call("who_am_i", bearer=key)).ok


async def test_the_other_keys_stay(live: Live, door: Door, ada: Person) -> None:
    first, second = await live.people.api_key(ada), await live.people.api_key(ada)
    known = await listed(door, ada)
    gone = await door.call(
        "revoke_api_key", bearer=ada.access, user_id=ada.id, key_id=known[0]["id"]
    )
    assert gone.ok
    assert (await door.call("who_am_i", bearer=first)).outcome == "invalid_token"
    assert (await door.call("who_am_i", bearer=second)).ok
    (left,) = await listed(door, ada)
    used = {"last_used_at": left["last_used_at"]}  # noted some seconds after, or not yet
    assert left == known[1] | used


async def test_an_admin_lists_and_revokes_another_s_keys(
    live: Live, door: Door, root: Person, ada: Person
) -> None:
    key = await live.people.api_key(ada)
    (known,) = await listed(door, ada, asker=root)
    gone = await door.call("revoke_api_key", bearer=root.access, user_id=ada.id, key_id=known["id"])
    assert gone.ok
    assert (await door.call("who_am_i", bearer=key)).outcome == "invalid_token"


async def test_a_key_is_found_only_beside_its_owner(
    live: Live, door: Door, root: Person, ada: Person
) -> None:
    await live.people.api_key(ada)
    (known,) = await listed(door, ada)
    for key_id in (known["id"].upper(), "nothing", str(new_id())):
        answer = await door.call(
            "revoke_api_key", bearer=root.access, user_id=ada.id, key_id=key_id
        )
        assert answer.outcome == "api_key_not_found"
    for user_id, outcome in ((root.id, "api_key_not_found"), (str(new_id()), "user_not_found")):
        answer = await door.call(
            "revoke_api_key", bearer=root.access, user_id=user_id, key_id=known["id"]
        )
        assert answer.outcome == outcome
    assert len(await listed(door, ada)) == 1


async def test_of_nobody_there_is_no_list(door: Door, root: Person) -> None:
    for user_id in (str(new_id()), "nobody"):
        answer = await door.call("list_api_keys", bearer=root.access, user_id=user_id)
        assert answer.outcome == "user_not_found"


# What is not a key, and what it costs


async def test_a_key_with_another_secret_is_an_invalid_token(
    live: Live, door: Door, ada: Person
) -> None:
    await live.people.api_key(ada)
    (known,) = (await live.services.api_keys.list(SYSTEM, ada.id)).data
    for key_id in (UUID(known.id), new_id()):
        text = CredentialForm("arc_").mint(key_id).text
        assert (await door.call("who_am_i", bearer=text)).outcome == "invalid_token"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """The ids of the keys that were read from the database."""
    asked: list[UUID] = []

    async def read(key_id: UUID) -> object:
        asked.append(key_id)
        return await _read(key_id)

    monkeypatch.setattr(repository, "_read", read)
    return asked


async def test_a_known_key_costs_no_query(
    live: Live, door: Door, ada: Person, reads: list[UUID]
) -> None:
    key, uses = await live.people.api_key(ada), 0
    async with asyncio.timeout(20):
        while uses == 0 or uses < 10 * len(reads):  # a worker that is late asks, and rightly so
            assert (await door.call("who_am_i", bearer=key)).ok
            uses += 1
    assert 1 <= len(reads) <= uses / 10


async def test_garbage_costs_no_query_either(door: Door, ada: Person, reads: list[UUID]) -> None:
    key = (await create(door, ada)).body["key"]
    for garbage in (key[:-1] + ("1" if key[-1] == "0" else "0"), key[:-5], "arc_", "arc_x.y.z"):
        assert (await door.call("who_am_i", bearer=garbage)).outcome == "invalid_token"
    assert reads == []


async def test_a_revoked_key_that_was_known_costs_no_query_for_ever(
    live: Live, door: Door, ada: Person, reads: list[UUID]
) -> None:
    key = await live.people.api_key(ada)
    assert (await door.call("who_am_i", bearer=key)).ok
    await revoked(live, door, ada)
    reads.clear()
    async with asyncio.timeout(20):
        for _ in range(30):
            assert (await door.call("who_am_i", bearer=key)).outcome == "invalid_token"
    assert len(reads) < 15


async def test_when_it_was_used_is_known_within_a_minute(
    live: Live, door: Door, ada: Person
) -> None:
    key = await live.people.api_key(ada)
    assert (await listed(door, ada))[0]["last_used_at"] is None
    live.clock.forward(minutes=5)
    assert (await door.call("who_am_i", bearer=key)).ok
    await live.touches.flush()
    assert (await listed(door, ada))[0]["last_used_at"] == "2026-03-14T15:14:26.535897Z"


# Introspection


async def test_introspection_knows_keys(live: Live, door: Door, root: Person, ada: Person) -> None:
    made = await create(door, ada, scopes=[USERS_WRITE, USERS_READ], expires_in_days=1)
    told = await door.call("introspect", bearer=root.access, token=made.body["key"])
    now = int(live.clock().timestamp())
    assert told.body == {
        "active": True,
        "token_type": "Bearer",
        "sub": ada.id,
        "iss": "arcana",
        "aud": "arcana",
        "iat": now,
        "exp": now + 86_400,
        "roles": ["user"],
        "scope": f"{USERS_READ} {USERS_WRITE}",
        "client_id": made.body["id"],
    }
    assert (await listed(door, ada))[0]["last_used_at"] is None


async def test_a_key_without_an_end_tells_none(live: Live, door: Door, root: Person) -> None:
    key = await live.people.api_key(root)
    told = await door.call("introspect", bearer=key, token=key)
    assert "exp" not in told.body


# What is kept


async def test_no_column_holds_the_key(live: Live, door: Door, ada: Person) -> None:
    made = await create(door, ada)
    secret = made.body["key"][len(made.body["hint"]) :]
    rows = await live.database.client.execute_query_dict("SELECT * FROM api_keys")
    written = json.dumps(rows, default=str)
    assert made.body["hint"] in written
    assert secret not in written
    assert secret[:20] not in written
