"""Somebody can always administer: the last active admin stays."""

import asyncio
from typing import Any

import pytest

from service.core.access import SYSTEM
from tests.support.doors import Door
from tests.support.live import Live
from tests.support.people import People, Person

WAYS: dict[str, dict[str, Any]] = {
    "delete_user": {},
    "set_user_status": {"status": "suspended"},
    "revoke_role": {"name": "admin"},
}


def aimed(way: str, person: Person) -> dict[str, Any]:
    who = "user_id" if way == "revoke_role" else "id"
    return {who: person.id, **WAYS[way]}


async def active_admins(live: Live) -> int:
    people = live.services.users.stream(SYSTEM, {"status": "active"})
    return len([view async for view in people if "admin" in view.roles])


@pytest.mark.parametrize("way", WAYS)
async def test_the_last_admin_cannot_leave(live: Live, door: Door, root: Person, way: str) -> None:
    answer = await door.call(way, bearer=root.access, **aimed(way, root))
    assert answer.outcome == "last_admin"
    assert await active_admins(live) == 1
    assert (await door.call("who_am_i", bearer=root.access)).ok


async def test_the_last_admin_cannot_become_inactive(door: Door, root: Person) -> None:
    change = {"id": root.id, "status": "inactive"}
    answer = await door.call("set_user_status", bearer=root.access, **change)
    assert answer.outcome == "last_admin"
    change["status"] = "active"
    assert (await door.call("set_user_status", bearer=root.access, **change)).ok


@pytest.mark.parametrize("way", WAYS)
async def test_an_admin_who_is_not_the_last_may_leave(
    live: Live, door: Door, root: Person, people: People, way: str
) -> None:
    await people.make("Rita", "admin")
    assert (await door.call(way, bearer=root.access, **aimed(way, root))).ok
    assert await active_admins(live) == 1


@pytest.mark.parametrize("way", WAYS)
async def test_an_admin_who_cannot_sign_in_does_not_count(
    door: Door, root: Person, people: People, way: str
) -> None:
    rita = await people.make("Rita", "admin")
    change = {"id": rita.id, "status": "inactive"}
    assert (await door.call("set_user_status", bearer=root.access, **change)).ok
    answer = await door.call(way, bearer=root.access, **aimed(way, root))
    assert answer.outcome == "last_admin"


@pytest.mark.parametrize("way", WAYS)
async def test_of_two_admins_who_remove_each_other_at_once_one_remains(
    live: Live, door: Door, people: People, way: str
) -> None:
    for _ in range(5):
        await live.reset()
        one, two = await people.signed_in("One", "admin"), await people.signed_in("Two", "admin")
        answers = await asyncio.gather(
            door.call(way, bearer=one.access, **aimed(way, two)),
            door.call(way, bearer=two.access, **aimed(way, one)),
        )
        outcomes = sorted(answer.outcome for answer in answers)
        assert outcomes[1] == "ok"
        assert outcomes[0] in ("last_admin", "invalid_token", "forbidden", "user_not_found")
        assert await active_admins(live) == 1


async def test_of_many_admins_who_all_leave_at_once_one_remains(live: Live, people: People) -> None:
    admins = [await people.signed_in("Admin", "admin") for _ in range(6)]
    doors = (live.rest, live.rpc)
    ways = list(WAYS)
    answers = await asyncio.gather(
        *(
            doors[n % 2].call(ways[n % 3], bearer=admin.access, **aimed(ways[n % 3], admin))
            for n, admin in enumerate(admins)
        )
    )
    assert sorted(answer.outcome for answer in answers) == ["last_admin"] + ["ok"] * 5
    assert await active_admins(live) == 1
