"""The previous release reads and writes on the present schema, beside the present release.

Both run at once, each in processes of its own, over one database that the present migrations
made: that is what a rolling update is.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from tests.support.databases import Backend, fresh_database
from tests.support.doors import Answer, Door, Rest, Rpc
from tests.support.releases import (
    ADMIN,
    PASSWORD,
    Release,
    serving_release,
    tree_of_previous_release,
)
from tests.support.served import ROOT

pytestmark = pytest.mark.slow
SEEN_WITHIN = 5.0
"""Seconds after which a release must see what the other wrote."""


@dataclass(frozen=True)
class Both:
    """Two releases over one database; ``root`` is an admin's token, good at either."""

    old: Rest
    old_rpc: Rpc
    new: Rest
    new_rpc: Rpc
    root: str


@pytest.fixture(scope="module")
def old_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("previous")
    if why := tree_of_previous_release(place):
        pytest.skip(why)
    return place


@pytest.fixture(scope="module")
def url(backend: Backend) -> Iterator[str]:
    with fresh_database(backend) as url:
        yield url


@pytest_asyncio.fixture(scope="module")
async def both(url: str, old_tree: Path) -> AsyncIterator[Both]:
    async with (
        serving_release(url, old_tree) as (old, old_rpc),
        serving_release(url, ROOT) as (new, new_rpc),
    ):
        pair = await old.call("login", email=ADMIN, password=PASSWORD)
        yield Both(old, old_rpc, new, new_rpc, pair.body["access_token"])


async def register(door: Door, name: str = "Åsa Øberg") -> Answer:
    email = f"{uuid4().hex}@example.com"
    answer = await door.call("register", name=name, email=email, password=PASSWORD)
    assert answer.ok, answer
    return answer


async def seen(door: Door, both: Both, user_id: str, **wanted: Any) -> Answer:
    """The user at ``door`` once it is as ``wanted``: a cache may lag behind the other release."""
    return await until(door, both, "get_user", user_id, wanted)


async def until(
    door: Door, both: Both, operation: str, user_id: str, wanted: dict[str, Any]
) -> Answer:
    async with asyncio.timeout(SEEN_WITHIN):
        while True:
            answer = await door.call(operation, bearer=both.root, id=user_id)
            if wanted.items() <= answer.body.items():
                return answer
            await asyncio.sleep(0.1)


async def found(door: Door, both: Both, term: str) -> list[str]:
    answer = await door.call("list_users", bearer=both.root, q=term)
    assert answer.ok, answer
    return [user["id"] for user in answer.body["data"]]


async def test_the_old_release_starts_beside_newer_migrations(url: str, old_tree: Path) -> None:
    status = Release(url, old_tree).manage("migrate", "status")
    assert status.returncode == 0, status.stderr
    assert "of a newer release" in status.stdout


async def test_both_ways_who_registers_at_one_logs_in_at_the_other(both: Both) -> None:
    for here, there in ((both.old, both.new), (both.new, both.old_rpc), (both.old_rpc, both.new)):
        user = (await register(here)).body
        pair = await there.call("login", email=user["email"], password=PASSWORD)
        assert pair.ok, pair
        for door in (here, there):
            me = await door.call("who_am_i", bearer=pair.body["access_token"])
            assert me.body == user


async def test_both_ways_a_session_begun_at_one_goes_on_at_the_other(both: Both) -> None:
    user = (await register(both.old)).body
    pair = await both.old.call("login", email=user["email"], password=PASSWORD)
    for door in (both.new, both.old_rpc, both.new_rpc, both.old):
        pair = await door.call("refresh", refresh_token=pair.body["refresh_token"])
        assert pair.ok, pair
    assert (await both.new.call("logout", bearer=pair.body["access_token"])).ok
    refused = await both.old.call("refresh", refresh_token=pair.body["refresh_token"])
    assert refused.code == "invalid_token"


async def test_both_ways_lists_and_searches_show_the_same(both: Both) -> None:
    name = f"Zoë {uuid4().hex[:8]}"
    made = [(await register(door, name)).body["id"] for door in (both.old, both.new, both.old_rpc)]
    folded = name.replace("ë", "E").upper()
    for door in (both.old, both.new, both.old_rpc, both.new_rpc):
        assert sorted(await found(door, both, folded)) == sorted(made)
        assert sorted(await found(door, both, folded[5:])) == sorted(made)


async def test_both_ways_changes_are_seen_and_search_follows(both: Both) -> None:
    for here, there in ((both.old, both.new), (both.new, both.old)):
        before, after = uuid4().hex, uuid4().hex
        user_id = (await register(there, before)).body["id"]
        await seen(there, both, user_id, name=before)
        changed = await here.call("update_user", bearer=both.root, id=user_id, name=after)
        assert changed.ok, changed
        await seen(there, both, user_id, name=after)
        for door in (here, there):
            assert await found(door, both, after[3:20]) == [user_id]
            assert await found(door, both, before[3:20]) == []


async def test_both_ways_status_roles_and_profile_are_seen(both: Both) -> None:
    for here, there in ((both.old, both.new), (both.new, both.old)):
        user_id = (await register(there)).body["id"]
        calls: list[tuple[str, dict[str, Any]]] = [
            ("set_user_status", {"id": user_id, "status": "suspended"}),
            ("grant_role", {"user_id": user_id, "name": "service"}),
            ("update_profile", {"id": user_id, "bio": "Counts.", "phone": "+441234"}),
        ]
        for operation, arguments in calls:
            answer = await here.call(operation, bearer=both.root, **arguments)
            assert answer.ok, answer
        await seen(there, both, user_id, status="suspended", roles=["service", "user"])
        await until(there, both, "get_profile", user_id, {"bio": "Counts.", "phone": "+441234"})
        await here.call("revoke_role", bearer=both.root, user_id=user_id, name="service")
        await here.call("set_user_status", bearer=both.root, id=user_id, status="active")
        await seen(there, both, user_id, status="active", roles=["user"])


async def test_both_ways_who_is_suspended_at_one_is_out_at_the_other(both: Both) -> None:
    for here, there in ((both.old, both.new), (both.new, both.old)):
        user = (await register(there)).body
        pair = await there.call("login", email=user["email"], password=PASSWORD)
        await here.call("set_user_status", bearer=both.root, id=user["id"], status="suspended")
        async with asyncio.timeout(SEEN_WITHIN):
            while (await there.call("who_am_i", bearer=pair.body["access_token"])).ok:
                await asyncio.sleep(0.1)
        refused = await there.call("login", email=user["email"], password=PASSWORD)
        assert refused.code == "invalid_credentials"


async def test_both_ways_who_is_deleted_at_one_is_gone_at_the_other(both: Both) -> None:
    for here, there in ((both.old, both.new), (both.new, both.old)):
        name = uuid4().hex
        user = (await register(there, name)).body
        await seen(there, both, user["id"], name=name)
        assert (await here.call("delete_user", bearer=both.root, id=user["id"])).ok
        async with asyncio.timeout(SEEN_WITHIN):
            while (await there.call("get_user", bearer=both.root, id=user["id"])).ok:
                await asyncio.sleep(0.1)
        assert await found(there, both, name[3:20]) == []
        again = {"name": name, "email": user["email"], "password": PASSWORD}
        assert (await there.call("register", **again)).ok


async def test_an_address_taken_at_one_is_taken_at_the_other(both: Both) -> None:
    for here, there in ((both.old, both.new), (both.new, both.old)):
        taken = (await register(here)).body["email"].upper()
        refused = await there.call("register", name="Eve", email=taken, password=PASSWORD)
        assert refused.code == "email_taken"


async def test_versions_of_rows_that_the_old_release_wrote_are_sane(both: Both) -> None:
    user_id = (await register(both.old)).body["id"]
    first = await both.new.call("get_user", bearer=both.root, id=user_id)
    assert first.headers["etag"] == '"1"'
    held = {"if-match": first.headers["etag"]}
    changed = await both.new.call(
        "update_user", bearer=both.root, headers=held, id=user_id, name="New"
    )
    assert changed.headers["etag"] == '"2"'
    assert (await both.old.call("update_user", bearer=both.root, id=user_id, name="Old")).ok
    await seen(both.new, both, user_id, name="Old")
    stale = await both.new.call(
        "update_user", bearer=both.root, headers=held, id=user_id, name="Lost"
    )
    assert stale.code == "etag_mismatch"


async def test_roles_made_at_one_are_granted_and_deleted_at_the_other(both: Both) -> None:
    for here, there in ((both.old, both.new), (both.new, both.old)):
        name = f"r{uuid4().hex[:12]}"
        assert (await here.call("create_role", bearer=both.root, name=name)).ok
        user_id = (await register(there)).body["id"]
        granted = await there.call("grant_role", bearer=both.root, user_id=user_id, name=name)
        assert granted.ok, granted
        await seen(here, both, user_id, roles=sorted([name, "user"]))
        assert (await here.call("delete_role", bearer=both.root, name=name)).ok
        await seen(there, both, user_id, roles=["user"])
