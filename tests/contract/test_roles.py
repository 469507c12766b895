"""Roles: which there are, who holds them, and what a change of them does to tokens."""

import asyncio

import pytest

from service.core.ids import new_id
from tests.support.doors import CLEAR, Door
from tests.support.live import Live
from tests.support.people import People, Person

BUILT_IN = ["admin", "service", "user"]


async def test_the_built_in_roles_are_there_from_the_start(door: Door, root: Person) -> None:
    body = (await door.call("list_roles", bearer=root.access)).body
    assert set(body) == {"data"}
    assert [role["name"] for role in body["data"]] == BUILT_IN
    assert all(role["built_in"] for role in body["data"])
    assert set(body["data"][0]) == {"name", "description", "built_in", "created_at"}


async def test_both_doors_list_the_same_roles(live: Live, root: Person) -> None:
    await live.rest.call("create_role", bearer=root.access, name="editor")
    listed = [await d.call("list_roles", bearer=root.access) for d in (live.rest, live.rpc)]
    assert listed[0].body == listed[1].body


async def test_a_role_is_made_and_listed_by_name(live: Live, door: Door, root: Person) -> None:
    made = await door.call(
        "create_role", bearer=root.access, name="editor", description="  Edits.  "
    )
    stamp = live.clock().isoformat().replace("+00:00", "Z")
    assert made.body == {
        "name": "editor",
        "description": "Edits.",
        "built_in": False,
        "created_at": stamp,
    }
    names = (await door.call("list_roles", bearer=root.access)).body["data"]
    assert [role["name"] for role in names] == ["admin", "editor", "service", "user"]
    assert names[1] == made.body


async def test_a_role_needs_no_description(door: Door, root: Person) -> None:
    made = await door.call("create_role", bearer=root.access, name="a")
    assert made.body["description"] is None
    cleared = await door.call("create_role", bearer=root.access, name="b", description=CLEAR)
    assert cleared.body["description"] is None


@pytest.mark.parametrize("name", ["admin", "user", "service", "editor"])
async def test_a_role_that_exists_is_taken(door: Door, root: Person, name: str) -> None:
    await door.call("create_role", bearer=root.access, name="editor")
    answer = await door.call("create_role", bearer=root.access, name=name)
    assert answer.outcome == "role_taken"


@pytest.mark.one_database
@pytest.mark.parametrize(
    "name",
    ["", "Editor", "1st", "-x", "_x", "a b", "a.b", "é", "a\n", " a", "a/b", "x" * 51, "рole", "*"],
)
async def test_a_role_has_a_plain_name(door: Door, root: Person, name: str) -> None:
    answer = await door.call("create_role", bearer=root.access, name=name)
    assert set(answer.errors) == {"name"}


@pytest.mark.one_database
@pytest.mark.parametrize("description", ["x" * 256, "a\x00b", "a\nb"])
async def test_a_description_is_one_line_of_255(door: Door, root: Person, description: str) -> None:
    answer = await door.call("create_role", bearer=root.access, name="a", description=description)
    assert set(answer.errors) == {"description"}


@pytest.mark.parametrize("name", BUILT_IN)
async def test_a_built_in_role_stays(door: Door, root: Person, name: str) -> None:
    answer = await door.call("delete_role", bearer=root.access, name=name)
    assert answer.outcome == "role_builtin"


@pytest.mark.parametrize("name", ["unknown", "Admin", "%", "a b", "x" * 300, "é", "a/b", "\x00"])
async def test_an_unknown_role_is_not_found(
    door: Door, root: Person, ada: Person, name: str
) -> None:
    gone = await door.call("delete_role", bearer=root.access, name=name)
    assert gone.outcome == "role_not_found"
    for way in ("grant_role", "revoke_role"):
        answer = await door.call(way, bearer=root.access, user_id=ada.id, name=name)
        assert answer.outcome == "role_not_found", way


@pytest.mark.parametrize("way", ["grant_role", "revoke_role"])
async def test_an_unknown_user_is_not_found(door: Door, root: Person, way: str) -> None:
    for unknown in (str(new_id()), "nonexistent-id", "me"):
        answer = await door.call(way, bearer=root.access, user_id=unknown, name="service")
        assert answer.outcome == "user_not_found"


async def test_granting_twice_is_granting_once_and_taking_what_is_not_held_is_fine(
    door: Door, root: Person, ada: Person
) -> None:
    role = {"user_id": ada.id, "name": "service"}
    for way, roles in (
        ("grant_role", ["service", "user"]),
        ("grant_role", ["service", "user"]),
        ("revoke_role", ["user"]),
        ("revoke_role", ["user"]),
    ):
        assert (await door.call(way, bearer=root.access, **role)).ok
        read = await door.call("get_user", bearer=root.access, id=ada.id)
        assert read.body["roles"] == roles


async def test_granting_at_once_from_both_doors_grants_once(
    live: Live, root: Person, ada: Person
) -> None:
    role = {"user_id": ada.id, "name": "service"}
    answers = await asyncio.gather(
        *(d.call("grant_role", bearer=root.access, **role) for d in (live.rest, live.rpc) * 5)
    )
    assert all(answer.ok for answer in answers)
    read = await live.rest.call("get_user", bearer=root.access, id=ada.id)
    assert read.body["roles"] == ["service", "user"]


async def test_a_deleted_role_is_held_by_nobody(
    live: Live, door: Door, root: Person, people: People
) -> None:
    await door.call("create_role", bearer=root.access, name="editor")
    ada = await people.signed_in("Ada", "editor")
    assert (await door.call("delete_role", bearer=root.access, name="editor")).ok
    read = await door.call("get_user", bearer=root.access, id=ada.id)
    assert read.body["roles"] == ["user"]
    again = await door.call("delete_role", bearer=root.access, name="editor")
    assert again.outcome == "role_not_found"
    _, rows = await live.database.client.execute_query("SELECT * FROM user_roles")
    assert len(rows) == 3


# What a change of roles does to tokens


async def test_a_change_of_roles_refuses_old_access_tokens_and_a_refresh_brings_the_new_ones(
    door: Door, root: Person, ada: Person
) -> None:
    role = {"user_id": ada.id, "name": "admin"}
    assert (await door.call("grant_role", bearer=root.access, **role)).ok
    assert (await door.call("who_am_i", bearer=ada.access)).outcome == "invalid_token"
    pair = (await door.call("refresh", refresh_token=ada.refresh)).body
    assert (await door.call("list_roles", bearer=pair["access_token"])).ok

    assert (await door.call("revoke_role", bearer=root.access, **role)).ok
    assert (await door.call("list_roles", bearer=pair["access_token"])).outcome == "invalid_token"
    pair = (await door.call("refresh", refresh_token=pair["refresh_token"])).body
    assert (await door.call("list_roles", bearer=pair["access_token"])).outcome == "forbidden"
    assert (await door.call("who_am_i", bearer=pair["access_token"])).body["roles"] == ["user"]


async def test_a_grant_that_changes_nothing_leaves_tokens_alone(
    door: Door, root: Person, ada: Person
) -> None:
    await door.call("grant_role", bearer=root.access, user_id=ada.id, name="user")
    await door.call("revoke_role", bearer=root.access, user_id=ada.id, name="service")
    assert (await door.call("who_am_i", bearer=ada.access)).ok


async def test_deleting_a_role_refuses_the_access_tokens_that_carry_it(
    door: Door, root: Person, people: People
) -> None:
    await door.call("create_role", bearer=root.access, name="editor")
    ada, bob = await people.signed_in("Ada", "editor"), await people.signed_in("Bob")
    await door.call("delete_role", bearer=root.access, name="editor")
    assert (await door.call("who_am_i", bearer=ada.access)).outcome == "invalid_token"
    assert (await door.call("who_am_i", bearer=bob.access)).ok
    assert (await door.call("refresh", refresh_token=ada.refresh)).ok


async def test_whoever_loses_the_role_admin_loses_it_at_once_for_themselves_too(
    door: Door, root: Person, people: People
) -> None:
    await people.make("Rita", "admin")
    await door.call("revoke_role", bearer=root.access, user_id=root.id, name="admin")
    assert (await door.call("list_roles", bearer=root.access)).outcome == "invalid_token"


# Races


async def test_a_role_deleted_while_it_is_granted_is_held_by_nobody(
    live: Live, root: Person, ada: Person
) -> None:
    doors = (live.rest, live.rpc)
    for n in range(8):
        await live.rest.call("create_role", bearer=root.access, name="editor")
        role = {"user_id": ada.id, "name": "editor"}
        granted, deleted = await asyncio.gather(
            doors[n % 2].call("grant_role", bearer=root.access, **role),
            doors[n // 2 % 2].call("delete_role", bearer=root.access, name="editor"),
        )
        assert granted.outcome in ("ok", "role_not_found")
        assert deleted.outcome == "ok"
        read = await live.rest.call("get_user", bearer=root.access, id=ada.id)
        assert read.body["roles"] == ["user"]


async def test_grants_and_takings_at_once_all_get_an_answer(
    live: Live, root: Person, ada: Person
) -> None:
    doors = (live.rest, live.rpc)
    role = {"user_id": ada.id, "name": "admin"}
    for _ in range(3):
        answers = await asyncio.gather(
            *(
                doors[n % 2].call(way, bearer=root.access, **role)
                for n, way in enumerate(["grant_role", "revoke_role", "grant_role"] * 3)
            )
        )
        assert {answer.outcome for answer in answers} == {"ok"}


async def test_a_role_deleted_while_its_holders_change_leaves_them_whole(
    live: Live, root: Person, people: People
) -> None:
    for _ in range(4):
        await live.rest.call("create_role", bearer=root.access, name="editor")
        holders = [await people.make("Ada", "editor") for _ in range(3)]
        answers = await asyncio.gather(
            live.rest.call("delete_role", bearer=root.access, name="editor"),
            *(
                live.rpc.call("revoke_role", bearer=root.access, user_id=p.id, name="editor")
                for p in holders
            ),
            *(
                live.rest.call("update_user", bearer=root.access, id=p.id, name="New")
                for p in holders
            ),
        )
        assert {answer.outcome for answer in answers} <= {"ok", "role_not_found"}
        for person in holders:
            read = await live.rest.call("get_user", bearer=root.access, id=person.id)
            assert (read.body["roles"], read.body["name"]) == (["user"], "New")
