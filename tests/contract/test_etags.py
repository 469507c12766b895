"""Versions of users as ETags, and changes that demand one (CONTRACT §2, RFC 9110 §13.1)."""

import asyncio
from typing import Any

import pytest
from arcana_protos.client import ArcanaClient, seeing
from arcana_protos.errors import ArcanaError
from arcana_protos.user import UpdateUserRequest
from betterproto.lib.google.protobuf import Empty

from tests.support.doors import Answer, Door
from tests.support.live import Live
from tests.support.operations import API
from tests.support.people import PASSWORD, People, Person

CHANGES: dict[str, dict[str, Any]] = {
    "update_user": {"name": "Countess"},
    "set_user_status": {"status": "inactive"},
    "delete_user": {},
    "update_profile": {"bio": "Counts."},
}
"""Every operation that looks at If-Match, with something for it to do."""


async def etag(door: Door, person: Person, root: Person, operation: str = "get_user") -> str:
    answer = await door.call(operation, bearer=root.access, id=person.id)
    assert answer.ok
    return answer.headers["etag"]


async def change(
    door: Door, operation: str, root: Person, person_id: str, if_match: str | None
) -> Answer:
    headers = {} if if_match is None else {"if-match": if_match}
    return await door.call(
        operation, bearer=root.access, headers=headers, id=person_id, **CHANGES[operation]
    )


# What is read carries its version


async def test_every_answer_that_shows_a_user_carries_the_same_strong_etag(
    door: Door, live: Live, ada: Person, root: Person
) -> None:
    read = await etag(door, ada, root)
    me = await door.call("who_am_i", bearer=ada.access)
    profile = await etag(door, ada, root, "get_profile")
    updated = await door.call("update_user", bearer=root.access, id=ada.id, name="Ada L.")
    other = live.rpc if door is live.rest else live.rest
    assert read.startswith('"')
    assert read == me.headers["etag"] == profile
    assert updated.headers["etag"] == await etag(other, ada, root) != read


async def test_who_is_created_and_who_registers_learns_the_etag(
    door: Door, people: People, root: Person
) -> None:
    for operation in ("create_user", "register"):
        new = {"name": "Eve", "email": people.fresh_email(), "password": PASSWORD}
        made = await door.call(operation, bearer=root.access, **new)
        read = await door.call("get_user", bearer=root.access, id=made.body["id"])
        assert made.headers["etag"] == read.headers["etag"]


async def test_no_body_ever_shows_the_version(door: Door, ada: Person, root: Person) -> None:
    for operation in ("get_user", "get_profile", "update_user"):
        given = CHANGES.get(operation, {})
        answer = await door.call(operation, bearer=root.access, id=ada.id, **given)
        assert "version" not in answer.body
        assert "etag" not in answer.body


async def test_each_change_of_row_roles_or_profile_makes_another_etag(
    door: Door, ada: Person, root: Person
) -> None:
    await door.call("create_role", bearer=root.access, name="editor")
    steps: list[tuple[str, dict[str, Any]]] = [
        ("update_user", {"id": ada.id, "name": "Countess"}),
        ("update_user", {"id": ada.id, "email": "countess@example.com"}),
        ("set_user_status", {"id": ada.id, "status": "inactive"}),
        ("update_profile", {"id": ada.id, "bio": "Counts."}),
        ("grant_role", {"user_id": ada.id, "name": "editor"}),
        ("revoke_role", {"user_id": ada.id, "name": "editor"}),
        ("grant_role", {"user_id": ada.id, "name": "editor"}),
        ("delete_role", {"name": "editor"}),
    ]
    seen = [await etag(door, ada, root)]
    for operation, arguments in steps:
        assert (await door.call(operation, bearer=root.access, **arguments)).ok
        seen.append(await etag(door, ada, root))
    assert len(set(seen)) == len(steps) + 1


async def test_what_changes_nothing_leaves_the_etag(door: Door, ada: Person, root: Person) -> None:
    before = await etag(door, ada, root)
    await door.call("grant_role", bearer=root.access, user_id=ada.id, name="user")
    await door.call("revoke_role", bearer=root.access, user_id=ada.id, name="service")
    await door.call("login", email=ada.email, password=ada.password)
    await door.call("update_user", bearer=root.access, id=ada.id, email="no address")
    await door.call("update_user", bearer=root.access, id=ada.id, email=root.email)
    assert await etag(door, ada, root) == before


# If-Match


@pytest.mark.parametrize("operation", CHANGES)
async def test_a_change_goes_through_while_its_etag_holds_and_not_after(
    door: Door, ada: Person, root: Person, operation: str
) -> None:
    read = await etag(door, ada, root)
    await door.call("update_user", bearer=root.access, id=ada.id, name="Somebody else's change")
    now = await etag(door, ada, root)
    refused = await change(door, operation, root, ada.id, read)
    assert refused.outcome == "etag_mismatch"
    assert refused.headers["etag"] == now
    assert await etag(door, ada, root) == now
    user = await door.call("get_user", bearer=root.access, id=ada.id)
    assert (user.body["name"], user.body["status"]) == ("Somebody else's change", "active")
    assert (await change(door, operation, root, ada.id, now)).ok


@pytest.mark.parametrize("operation", CHANGES)
async def test_the_star_holds_for_any_row_and_a_missing_one_is_not_found_first(
    door: Door, ada: Person, root: Person, operation: str
) -> None:
    nobody = "0199c0de-0000-7000-8000-000000000001"
    for if_match in ("*", '"1"', 'W/"1"'):
        missing = await change(door, operation, root, nobody, if_match)
        assert missing.outcome == "user_not_found"
    assert (await change(door, operation, root, ada.id, "*")).ok


@pytest.mark.parametrize(
    ("pattern", "holds"),
    [
        ("{now}", True),
        ('"other", {now}', True),
        ('"a,b" ,{now}', True),
        (', "x",, {now} ,', True),
        ("W/{now}", False),
        ('W/{now}, "other"', False),
        ('""', False),
        ('"*"', False),
        ('"ÿ"', False),
    ],
)
async def test_a_list_of_etags_holds_when_one_does_and_a_weak_one_never(
    live: Live, ada: Person, root: Person, pattern: str, holds: bool
) -> None:
    now = await etag(live.rest, ada, root)
    response = await live.rest.client.patch(
        f"{API}/users/{ada.id}",
        json={"name": "Countess"},
        headers=[
            (b"authorization", f"Bearer {root.access}".encode()),
            (b"if-match", pattern.format(now=now).encode("latin-1")),
        ],
    )
    assert response.status_code == (200 if holds else 412)


@pytest.mark.parametrize(
    "malformed",
    ["1", '"', '"1', '1"', ",", '*, "1"', '"1" "2"', "W/1", 'w/"1"', '"a b"', "**", "'1'"],
)
async def test_a_malformed_if_match_is_refused_before_the_row_is_looked_for(
    door: Door, ada: Person, root: Person, malformed: str
) -> None:
    for person_id in (ada.id, "nobody"):
        refused = await change(door, "update_user", root, person_id, malformed)
        assert refused.outcome == "invalid_request"
        assert set(refused.errors) == {"if-match"}


async def test_an_empty_if_match_is_malformed(live: Live, ada: Person, root: Person) -> None:
    refused = await change(live.rest, "update_user", root, ada.id, "")  # no gRPC client sends it
    assert refused.outcome == "invalid_request"


async def test_several_headers_are_one_list(live: Live, ada: Person, root: Person) -> None:
    now = await etag(live.rest, ada, root)
    sent = [("authorization", f"Bearer {root.access}"), ("if-match", '"x"'), ("if-match", now)]
    address = f"{API}/users/{ada.id}"
    assert (await live.rest.client.delete(address, headers=sent)).status_code == 204


async def test_who_may_not_change_learns_nothing_from_if_match(
    door: Door, ada: Person, people: People
) -> None:
    mallory = await people.signed_in("Mallory")
    for if_match in ("*", '"1"', "malformed"):
        assert (await change(door, "update_user", mallory, ada.id, if_match)).code == "forbidden"
        nobody = Person("", "", "", access="not a token")
        refused = await change(door, "update_user", nobody, ada.id, if_match)
        assert refused.code == "invalid_token"


async def test_the_last_admin_s_stale_etag_is_told_before_its_being_the_last(
    door: Door, root: Person
) -> None:
    refused = await change(door, "delete_user", root, root.id, '"0"')
    assert refused.outcome == "etag_mismatch"
    assert (await change(door, "delete_user", root, root.id, "*")).outcome == "last_admin"


async def test_me_and_put_look_at_if_match_too(live: Live, ada: Person) -> None:
    for route in (f"PATCH {API}/users/me", f"PUT {API}/users/me"):
        now = (await live.rest.call("who_am_i", bearer=ada.access)).headers["etag"]
        for sent, outcome in (('"0"', "etag_mismatch"), (now, "ok")):
            answer = await live.rest.call(
                "update_me", bearer=ada.access, headers={"if-match": sent}, route=route, name="A"
            )
            assert answer.outcome == outcome


async def test_our_client_notes_versions_for_changes_to_demand(live: Live, ada: Person) -> None:
    async with ArcanaClient("127.0.0.1", live.rpc_port) as client:
        await client.log_in(ada.email, ada.password)
        with seeing() as seen:
            await client.auth.who_am_i(Empty())
        assert seen.etag is not None
        change = UpdateUserRequest(id=ada.id, name="Countess")
        held = {"if-match": seen.etag}
        assert (await client.users.update_user(change, metadata=held)).name == "Countess"
        with pytest.raises(ArcanaError) as refused:
            await client.users.update_user(change, metadata=held)
        assert refused.value.code == "etag_mismatch"


# If-None-Match


async def test_who_holds_this_version_is_answered_304_without_a_body(
    live: Live, ada: Person
) -> None:
    bearer = {"authorization": f"Bearer {ada.access}"}
    paths = [f"/users/{ada.id}", "/users/me", "/auth/me", f"/users/{ada.id}/profile"]
    for path in paths:
        for method in ("GET", "HEAD"):
            ask = live.rest.client.build_request
            first = await live.rest.client.send(ask(method, f"{API}{path}", headers=bearer))
            tag = first.headers["etag"]
            for known in (tag, f'W/{tag}, "x"', "*"):
                again = ask(method, f"{API}{path}", headers={**bearer, "if-none-match": known})
                held = await live.rest.client.send(again)
                assert (held.status_code, held.content) == (304, b"")
                assert held.headers["etag"] == tag
            for other in ('"0"', "malformed"):
                again = ask(method, f"{API}{path}", headers={**bearer, "if-none-match": other})
                assert (await live.rest.client.send(again)).status_code == 200


async def test_304_is_no_way_round_the_policy(live: Live, ada: Person) -> None:
    path = f"{API}/users/{ada.id}"
    sent = {"if-none-match": "*"}
    assert (await live.rest.client.get(path, headers=sent)).status_code == 401


# At the same time


async def test_of_many_changes_to_one_version_exactly_one_is_made(
    live: Live, ada: Person, root: Person
) -> None:
    now = await etag(live.rest, ada, root)
    answers = await asyncio.gather(
        *(
            (live.rest if n % 2 else live.rpc).call(
                "update_user",
                bearer=root.access,
                headers={"if-match": now},
                id=ada.id,
                name=f"Name {n}",
            )
            for n in range(20)
        )
    )
    assert sorted(answer.outcome for answer in answers) == ["etag_mismatch"] * 19 + ["ok"]
    (made,) = (answer for answer in answers if answer.ok)
    user = await live.rest.call("get_user", bearer=root.access, id=ada.id)
    assert user.body["name"] == made.body["name"]
    assert {a.headers["etag"] for a in answers} == {made.headers["etag"]}


async def test_concurrent_changes_of_different_fields_all_survive(
    live: Live, people: People, root: Person
) -> None:
    for _ in range(5):
        person = await people.make("Before")
        email = people.fresh_email("after")
        begun = await etag(live.rest, person, root)
        await asyncio.gather(
            live.rest.call("update_user", bearer=root.access, id=person.id, name="After"),
            live.rpc.call("update_user", bearer=root.access, id=person.id, email=email),
            live.rest.call("set_user_status", bearer=root.access, id=person.id, status="inactive"),
            live.rpc.call("grant_role", bearer=root.access, user_id=person.id, name="service"),
            live.rest.call("update_profile", bearer=root.access, id=person.id, bio="After."),
            live.rpc.call("update_profile", bearer=root.access, id=person.id, phone="+441234"),
        )
        user = await live.rest.call("get_user", bearer=root.access, id=person.id)
        profile = await live.rest.call("get_profile", bearer=root.access, id=person.id)
        assert (user.body["name"], user.body["email"]) == ("After", email)
        assert (user.body["status"], user.body["roles"]) == ("inactive", ["service", "user"])
        assert (profile.body["bio"], profile.body["phone"]) == ("After.", "+441234")
        assert int(user.headers["etag"].strip('"')) == int(begun.strip('"')) + 6
