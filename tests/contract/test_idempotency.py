"""Creations under an Idempotency-Key, at either door and across both (CONTRACT §2)."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from service.core.idempotency import Kept, Once
from service.idempotency.repository import PURGED_AT_ONCE, IdempotencyRepository
from tests.support.doors import Answer, Door
from tests.support.live import Live
from tests.support.operations import API
from tests.support.people import PASSWORD, People, Person

CREATIONS = ("register", "create_user", "create_role")


def fresh(operation: str) -> dict[str, Any]:
    """Something new to create."""
    name = f"a{uuid4().hex}"
    if operation == "create_role":
        return {"name": name, "description": "Reads the books."}
    return {"name": "Eve", "email": f"{name}@example.com", "password": PASSWORD}


def other(command: dict[str, Any]) -> dict[str, Any]:
    """Another command of the same operation."""
    changed = "password" if "password" in command else "description"
    return {**command, changed: f"{command[changed]}, changed"}


async def create(
    door: Door, operation: str, who: Person, command: dict[str, Any], key: str | None
) -> Answer:
    headers = {} if key is None else {"idempotency-key": key}
    bearer = None if operation == "register" else who.access
    return await door.call(operation, bearer=bearer, headers=headers, **command)


async def rows(live: Live, table: str) -> list[dict[str, Any]]:
    _, found = await live.database.client.execute_query(f"SELECT * FROM {table}")
    return [dict(row) for row in found]


async def count(live: Live, operation: str) -> int:
    return len(await rows(live, "roles" if operation == "create_role" else "users"))


# The first answer again


@pytest.mark.parametrize("operation", CREATIONS)
async def test_the_same_key_and_command_give_the_first_answer_again_at_either_door(
    door: Door, live: Live, root: Person, operation: str
) -> None:
    command, key = fresh(operation), str(uuid4())
    first = await create(door, operation, root, command, key)
    before = await count(live, operation)
    live.clock.forward(minutes=1)
    for again_at in (door, live.rest, live.rpc):
        again = await create(again_at, operation, root, command, key)
        assert (again.ok, again.body) == (True, first.body)
        assert again.headers.get("etag") == first.headers.get("etag")
    assert await count(live, operation) == before
    twice = await create(door, operation, root, command, None)
    assert twice.code in ("email_taken", "role_taken")


async def test_the_same_command_may_be_written_otherwise(live: Live, root: Person) -> None:
    email = f"{uuid4().hex}@example.com"
    bodies = [
        f'{{"name":"Eve","email":"{email}","password":"{PASSWORD}"}}',
        f' {{"password": "{PASSWORD}", "email": " {email.upper()} ", "name": "\\u0045ve "}}',
    ]
    headers = {
        "authorization": f"Bearer {root.access}",
        "content-type": "application/json",
        "idempotency-key": "one",
    }
    answers = [
        await live.rest.client.post(f"{API}/users", content=body, headers=headers)
        for body in bodies
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert answers[0].headers["location"] == answers[1].headers["location"]


async def test_a_role_without_description_is_the_same_command_at_both_doors(
    live: Live, root: Person
) -> None:
    name = fresh("create_role")["name"]
    first = await create(live.rest, "create_role", root, {"name": name}, "k")
    again = await create(live.rpc, "create_role", root, {"name": name, "description": ""}, "k")
    assert (again.ok, again.body) == (True, first.body)


async def test_a_repetition_hashes_no_password_and_tells_no_follower(
    live: Live, root: Person
) -> None:
    command = fresh("create_user")
    await create(live.rest, "create_user", root, command, "k")
    hashed, changes = live.hasher.hashed, len(await rows(live, "changes"))
    await create(live.rpc, "create_user", root, command, "k")
    assert live.hasher.hashed == hashed
    assert len(await rows(live, "changes")) == changes


async def test_the_first_answer_stands_though_the_row_has_changed_or_gone(
    door: Door, root: Person
) -> None:
    command = fresh("create_user")
    first = await create(door, "create_user", root, command, "k")
    await door.call("update_user", bearer=root.access, id=first.body["id"], name="Changed")
    assert (await create(door, "create_user", root, command, "k")).body == first.body
    await door.call("delete_user", bearer=root.access, id=first.body["id"])
    assert (await create(door, "create_user", root, command, "k")).body == first.body


# Another command


@pytest.mark.parametrize("operation", CREATIONS)
async def test_another_command_under_the_same_key_is_refused(
    door: Door, live: Live, root: Person, operation: str
) -> None:
    command, key = fresh(operation), str(uuid4())
    await create(door, operation, root, command, key)
    before = await count(live, operation)
    for different in (other(command), fresh(operation)):
        refused = await create(door, operation, root, different, key)
        assert refused.outcome == "idempotency_mismatch"
    assert await count(live, operation) == before


async def test_another_operation_under_the_same_key_is_refused(door: Door, root: Person) -> None:
    await create(door, "create_user", root, fresh("create_user"), "k")
    refused = await create(door, "create_role", root, fresh("create_role"), "k")
    assert refused.outcome == "idempotency_mismatch"


async def test_keys_of_different_people_have_nothing_to_do_with_each_other(
    door: Door, people: People, root: Person
) -> None:
    second = await people.signed_in("Second", "admin")
    for who in (root, second):
        assert (await create(door, "create_user", who, fresh("create_user"), "k")).ok
    assert (await create(door, "register", root, fresh("register"), "k")).ok


async def test_a_key_is_looked_at_after_the_policy_and_the_command(
    door: Door, ada: Person, people: People
) -> None:
    admin = await people.signed_in("Second", "admin")
    await people.make("Third", "admin")
    command = fresh("create_user")
    assert (await create(door, "create_user", ada, command, "no good key")).code == "forbidden"
    assert (await create(door, "create_user", admin, command, "k")).ok
    await door.call("revoke_role", bearer=admin.access, user_id=admin.id, name="admin")
    demoted = await people.sign_in(admin)
    assert (await create(door, "create_user", demoted, command, "k")).code == "forbidden"
    invalid = await create(door, "register", ada, {**command, "email": "none"}, "no good key")
    assert set(invalid.errors) == {"email"}


# Keys


@pytest.mark.parametrize("key", ["a b", "x" * 256])
async def test_a_key_that_is_none_is_refused(
    door: Door, live: Live, root: Person, key: str
) -> None:
    for operation in CREATIONS:
        before = await count(live, operation)
        refused = await create(door, operation, root, fresh(operation), key)
        assert refused.outcome == "invalid_request"
        assert set(refused.errors) == {"idempotency-key"}
        assert await count(live, operation) == before


@pytest.mark.parametrize(
    "sent",
    [
        [(b"idempotency-key", b"")],
        [(b"idempotency-key", b"tab\tbed")],
        [(b"idempotency-key", "ключ".encode())],
        [(b"idempotency-key", b"one"), (b"idempotency-key", b"one")],
    ],
)
async def test_an_empty_foreign_or_doubled_key_is_refused(
    live: Live, root: Person, sent: list[tuple[bytes, bytes]]
) -> None:
    headers = [(b"authorization", f"Bearer {root.access}".encode()), *sent]
    answer = await live.rest.client.post(f"{API}/users", json=fresh("create_user"), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("key", ["!", "x" * 255, '"quoted"', "~|\\'"])
async def test_any_visible_ascii_is_a_key(door: Door, root: Person, key: str) -> None:
    command = fresh("create_user")
    first = await create(door, "create_user", root, command, key)
    assert (await create(door, "create_user", root, command, key)).body == first.body


async def test_logging_in_and_refreshing_are_never_repeated(door: Door, ada: Person) -> None:
    sent = {"idempotency-key": "k"}
    pairs = [
        await door.call("login", headers=sent, email=ada.email, password=ada.password)
        for _ in range(2)
    ]
    assert pairs[0].body["refresh_token"] != pairs[1].body["refresh_token"]


# What is kept


async def test_a_refused_creation_leaves_its_key_free(door: Door, live: Live, root: Person) -> None:
    taken = await create(door, "create_user", root, fresh("create_user"), None)
    command = {**fresh("create_user"), "email": taken.body["email"]}
    assert (await create(door, "create_user", root, command, "k")).code == "email_taken"
    assert await rows(live, "idempotency_keys") == []
    await door.call("delete_user", bearer=root.access, id=taken.body["id"])
    made = await create(door, "create_user", root, command, "k")
    assert (await create(door, "create_user", root, command, "k")).body == made.body


async def test_nothing_secret_or_readable_of_the_command_is_kept(
    door: Door, live: Live, root: Person
) -> None:
    for operation in CREATIONS:
        await create(door, operation, root, fresh(operation), f"key-of-{operation}")
    kept = await rows(live, "idempotency_keys")
    assert len(kept) == len(CREATIONS)
    text = str(kept)
    for secret in (PASSWORD, "key-of-", root.id, root.access, "argon2", "password"):
        assert secret not in text


async def test_a_crash_after_the_key_was_written_leaves_neither_key_nor_row(
    door: Door, live: Live, root: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = IdempotencyRepository.keep

    async def keep_and_crash(self: IdempotencyRepository, kept: Kept) -> None:
        await keep(self, kept)
        raise RuntimeError("crash")

    for operation in CREATIONS:
        command, before = fresh(operation), await count(live, operation)
        with monkeypatch.context() as patched:
            patched.setattr(IdempotencyRepository, "keep", keep_and_crash)
            assert (await create(door, operation, root, command, operation)).code == "internal"
        assert await rows(live, "idempotency_keys") == []
        assert await count(live, operation) == before
        assert (await create(door, operation, root, command, operation)).ok
        await live.database.client.execute_script("DELETE FROM idempotency_keys")


async def test_whoever_lost_the_answer_after_the_commit_gets_it_by_asking_again(
    door: Door, live: Live, root: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cut(self: object) -> None:
        raise ConnectionError("after the commit")

    for operation in CREATIONS:
        command, before = fresh(operation), await count(live, operation)
        with monkeypatch.context() as patched:
            patched.setattr(Once, "_tidy", cut)
            assert (await create(door, operation, root, command, operation)).code == "internal"
        assert await count(live, operation) == before + 1
        again = await create(door, operation, root, command, operation)
        assert (again.ok, again.body["name"]) == (True, command["name"])
        assert await count(live, operation) == before + 1


async def test_an_answer_is_kept_for_a_day(
    door: Door, live: Live, people: People, root: Person
) -> None:
    command = fresh("create_user")
    first = await create(door, "create_user", root, command, "k")
    live.clock.forward(hours=24, seconds=-1)
    root = await people.sign_in(root)
    assert (await create(door, "create_user", root, command, "k")).body == first.body
    live.clock.forward(seconds=1)
    assert (await create(door, "create_user", root, command, "k")).code == "email_taken"
    assert (await create(door, "create_user", root, fresh("create_user"), "k")).ok
    assert len(await rows(live, "idempotency_keys")) == 1


async def test_each_new_answer_takes_some_away_whose_time_is_over(
    door: Door, live: Live, people: People, root: Person
) -> None:
    for n in range(PURGED_AT_ONCE + 3):
        await create(door, "create_role", root, fresh("create_role"), f"old-{n}")
    live.clock.forward(hours=24)
    root = await people.sign_in(root)
    for n, left in enumerate((3, 0, 0), start=1):
        await create(door, "create_role", root, fresh("create_role"), f"new-{n}")
        assert len(await rows(live, "idempotency_keys")) == left + n


# Twins


@pytest.mark.parametrize("operation", CREATIONS)
async def test_of_concurrent_twins_one_creates_and_all_get_its_answer(
    live: Live, root: Person, operation: str
) -> None:
    for _ in range(3):
        command, key = fresh(operation), str(uuid4())
        before = await count(live, operation)
        answers = await asyncio.gather(
            *(
                create(live.rest if n % 2 else live.rpc, operation, root, command, key)
                for n in range(12)
            )
        )
        assert [answer.outcome for answer in answers] == ["ok"] * 12
        assert all(answer.body == answers[0].body for answer in answers)
        assert await count(live, operation) == before + 1


async def test_of_concurrent_commands_under_one_key_one_is_done_and_the_others_mismatch(
    live: Live, root: Person
) -> None:
    before = await count(live, "create_user")
    answers = await asyncio.gather(
        *(
            create(live.rest if n % 2 else live.rpc, "create_user", root, fresh("create_user"), "k")
            for n in range(12)
        )
    )
    outcomes = sorted(answer.outcome for answer in answers)
    assert outcomes == ["idempotency_mismatch"] * 11 + ["ok"]
    assert await count(live, "create_user") == before + 1


async def test_twins_of_a_creation_that_cannot_be_are_all_refused(live: Live, root: Person) -> None:
    command = {**fresh("create_user"), "email": root.email}
    answers = await asyncio.gather(
        *(
            create(live.rest if n % 2 else live.rpc, "create_user", root, command, "k")
            for n in range(12)
        )
    )
    assert {answer.outcome for answer in answers} == {"email_taken"}
