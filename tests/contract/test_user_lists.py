"""Lists of users: pages by number and by cursor, filters, search, and the stream of them all."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from arcana_protos.user import ListUsersRequest, UserResponse
from grpclib.client import Channel
from grpclib.config import Configuration
from grpclib.const import Cardinality

from service.core.access import SYSTEM
from service.core.ids import new_id
from service.core.paging import Cursors
from service.users.repository import UserRepository
from service.users.service import STREAM_BATCH
from tests.support.doors import Door
from tests.support.live import Live
from tests.support.operations import API, OPERATIONS
from tests.support.people import Person


async def crowd(live: Live, count: int, **other: Any) -> None:
    """So many users more, without passwords, in one go."""
    lines = [
        {"name": f"Person {n:03}", "email": f"person-{n:03}@crowd.example"} | other
        for n in range(count)
    ]
    outcomes = await live.services.imports.import_batch(SYSTEM, lines)
    assert not any(outcomes)


async def named(live: Live, *names: str) -> None:
    lines = [{"name": name, "email": f"n{n}@names.example"} for n, name in enumerate(names)]
    assert not any(await live.services.imports.import_batch(SYSTEM, lines))


async def found(door: Door, root: Person, **query: Any) -> list[str]:
    """The names of a list's first page, without the admin's own."""
    answer = await door.call("list_users", bearer=root.access, size=100, **query)
    assert answer.ok, answer.errors
    return [user["name"] for user in answer.body["data"] if user["id"] != root.id]


async def walked(door: Door, root: Person, size: int, **query: Any) -> list[str]:
    """The ids of a whole list, read cursor by cursor."""
    ids: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await door.call("list_users", bearer=root.access, size=size, **query, **cursor)
        ids += [user["id"] for user in answer.body["data"]]
        if answer.body["next_cursor"] is None:
            return ids
        cursor = {"cursor": answer.body["next_cursor"]}


# Pages by number


async def test_a_page_has_ten_users_unless_asked_otherwise(
    live: Live, door: Door, root: Person
) -> None:
    await crowd(live, 24)
    body = (await door.call("list_users", bearer=root.access)).body
    assert (body["page"], body["size"], body["total"], len(body["data"])) == (0, 10, 25, 10)
    assert body["next_cursor"]


async def test_a_page_has_exactly_the_fields_of_the_contract(live: Live, root: Person) -> None:
    body = (await live.rest.call("list_users", bearer=root.access)).body
    assert set(body) == {"data", "page", "size", "total", "total_pages", "next_cursor"}
    assert (body["total"], body["total_pages"], body["next_cursor"]) == (1, 1, None)
    own = await live.rest.call("who_am_i", bearer=root.access)
    assert body["data"] == [own.body]


async def test_pages_are_in_the_order_of_ids_and_share_nobody(
    live: Live, door: Door, root: Person
) -> None:
    await crowd(live, 24)
    ids: list[str] = []
    for page in range(4):
        body = (await door.call("list_users", bearer=root.access, page=page, size=7)).body
        ids += [user["id"] for user in body["data"]]
    assert len(ids) == 25
    assert ids == sorted(set(ids))


async def test_the_last_page_has_no_next_cursor_and_the_one_beyond_is_empty(
    live: Live, door: Door, root: Person
) -> None:
    await crowd(live, 19)
    last = await door.call("list_users", bearer=root.access, page=1, size=10)
    assert (len(last.body["data"]), last.body["next_cursor"]) == (10, None)
    for page in (2, 99, 2**31 - 1):
        beyond = await door.call("list_users", bearer=root.access, page=page, size=10)
        assert beyond.ok
        assert (beyond.body["data"], beyond.body["total"]) == ([], 20)
        assert beyond.body["next_cursor"] is None


async def test_the_number_of_pages_counts_a_short_last_one(live: Live, root: Person) -> None:
    await crowd(live, 10)
    body = (await live.rest.call("list_users", bearer=root.access, size=5)).body
    assert (body["total"], body["total_pages"]) == (11, 3)


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"size": -1}, "size"),
        ({"size": 101}, "size"),
        ({"size": 2**31 - 1}, "size"),
        ({"page": -1}, "page"),
        ({"status": "ACTIVE"}, "status"),
        ({"status": "deleted"}, "status"),
        ({"q": "x" * 256}, "q"),
        ({"q": "a\x00b"}, "q"),
        ({"cursor": "made up"}, "cursor"),
        ({"cursor": "x" * 500}, "cursor"),
    ],
)
async def test_a_bad_query_is_refused_by_field(
    door: Door, root: Person, query: dict[str, Any], field: str
) -> None:
    answer = await door.call("list_users", bearer=root.access, **query)
    assert answer.outcome == "invalid_request"
    named = OPERATIONS["list_users"].renamed.get(field, field)
    assert set(answer.errors) == {named if door.name == "grpc" else field}


@pytest.mark.one_database
@pytest.mark.parametrize(
    "query",
    [
        "size=0",
        "size=",
        "size=ten",
        "size=1e1",
        "size=+1",
        "size=1_0",
        "size=%D9%A3",
        "page=0.5",
        "page=2147483648",
        "page=99999999999999999999",
        "unknown=1",
        "size=1&size=2",
        "q=%FF",
        "q=%ED%A0%80",
    ],
)
async def test_a_query_string_is_read_strictly(live: Live, root: Person, query: str) -> None:
    headers = {"authorization": f"Bearer {root.access}"}
    answer = await live.rest.client.get(f"{API}/users?{query}", headers=headers)
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_request"


async def test_size_0_means_ten_at_grpc(live: Live, root: Person) -> None:
    await crowd(live, 20)
    body = (await live.rpc.call("list_users", bearer=root.access, size=0)).body
    assert (len(body["data"]), body["size"]) == (10, 10)


async def test_both_doors_give_the_same_page(live: Live, root: Person) -> None:
    await crowd(live, 5)
    pages = [
        (await door.call("list_users", bearer=root.access, size=4, q="person")).body
        for door in (live.rest, live.rpc)
    ]
    del pages[0]["total_pages"]
    assert pages[0] == pages[1]


# Pages by cursor


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_a_walk_by_cursor_visits_everybody_exactly_once(
    live: Live, door: Door, root: Person, size: int
) -> None:
    await crowd(live, 24)
    ids = await walked(door, root, size)
    assert len(ids) == 25
    assert ids == sorted(set(ids))


async def test_a_page_by_cursor_has_no_number_and_no_total(
    live: Live, door: Door, root: Person
) -> None:
    await crowd(live, 5)
    first = await door.call("list_users", bearer=root.access, size=2)
    query = {"size": 2, "cursor": first.body["next_cursor"]}
    second = await door.call("list_users", bearer=root.access, **query)
    assert set(second.body) == {"data", "size", "next_cursor"}


async def test_a_cursor_goes_on_where_the_numbered_page_ended(
    live: Live, door: Door, root: Person
) -> None:
    await crowd(live, 9)
    one, two = [
        (await door.call("list_users", bearer=root.access, size=4, page=page)).body
        for page in (0, 1)
    ]
    query = {"size": 4, "cursor": one["next_cursor"]}
    after = await door.call("list_users", bearer=root.access, **query)
    assert after.body["data"] == two["data"]


async def test_whoever_comes_or_goes_meanwhile_makes_nobody_else_double_or_missing(
    live: Live, door: Door, root: Person
) -> None:
    await crowd(live, 20)
    everybody = await walked(door, root, 100)
    first = (await door.call("list_users", bearer=root.access, size=10)).body
    await live.services.users.delete(SYSTEM, everybody[3])
    await live.services.users.delete(SYSTEM, everybody[15])
    await crowd(live, 1, email="late@crowd.example")
    query = {"size": 100, "cursor": first["next_cursor"]}
    rest = (await door.call("list_users", bearer=root.access, **query)).body
    ids = [user["id"] for user in first["data"] + rest["data"]]
    assert ids[:-1] == [one for one in everybody if one != everybody[15]]


async def test_a_cursor_continues_whichever_door_gave_it(live: Live, root: Person) -> None:
    await crowd(live, 5)
    given = (await live.rest.call("list_users", bearer=root.access, size=2)).body["next_cursor"]
    pages = [
        (await door.call("list_users", bearer=root.access, size=2, cursor=given)).body
        for door in (live.rest, live.rpc)
    ]
    assert pages[0] == pages[1]


@pytest.mark.one_database
async def test_a_cursor_of_another_service_is_refused(door: Door, root: Person) -> None:
    foreign = Cursors(b"another key").seal(new_id())
    answer = await door.call("list_users", bearer=root.access, cursor=foreign)
    assert set(answer.errors) == {"cursor"}


# Filters and search


async def test_a_list_can_be_of_one_status(live: Live, door: Door, root: Person) -> None:
    await crowd(live, 3)
    await crowd(live, 1, email="s@crowd.example", name="Suspended", status="suspended")
    await crowd(live, 1, email="i@crowd.example", name="Inactive", status="inactive")
    assert await found(door, root, status="suspended") == ["Suspended"]
    assert await found(door, root, status="inactive") == ["Inactive"]
    assert len(await found(door, root, status="active")) == 3
    assert len(await found(door, root)) == 5


@pytest.mark.parametrize(
    ("term", "name"),
    [
        ("ngstr", "Åse Ångström"),
        ("ÅNGSTRÖM", "Åse Ångström"),
        ("angstrom", "Åse Ångström"),
        ("åse å", "Åse Ångström"),
        ("strasse", "Anna Straße"),
        ("STRASSE", "Anna Straße"),
        ("straß", "Anna Straße"),
        ("篤司", "松田 篤司"),
        ("حدیث", "حدیث هدایت"),
        ("ИВАН", "Иван Ёлкин"),
        ("елкин", "Иван Ёлкин"),
        ("σισυφοσ", "ΣΊΣΥΦΟΣ"),
        ("👩", "Coder 👩🏽‍💻"),
        ("  straße ", "Anna Straße"),
    ],
)
async def test_search_finds_a_part_of_a_name_whatever_its_case_and_accents(
    live: Live, door: Door, root: Person, term: str, name: str
) -> None:
    others = ["Åse Ångström", "Anna Straße", "松田 篤司", "حدیث هدایت", "Иван Ёлкин"]
    await named(live, *others, "ΣΊΣΥΦΟΣ", "Coder 👩🏽‍💻")
    assert await found(door, root, q=term) == [name]


async def test_search_finds_a_part_of_an_address(live: Live, door: Door, root: Person) -> None:
    await named(live, "One", "Two", "Three")
    assert await found(door, root, q="N1@Names") == ["Two"]
    assert await found(door, root, q="@names.EXAMPLE") == ["One", "Two", "Three"]


@pytest.mark.parametrize(
    ("term", "names"),
    [
        ("%", ["100 % Ada"]),
        ("_", ["snake_case"]),
        ("\\", ["back\\slash"]),
        ("\\%", []),
        ("[a-z]", []),
        ("*", ["st*r"]),
        ("?", []),
        ("'", ["O'Neil"]),
        ('"', []),
        ("' OR '1'='1", []),
        ("100 %", ["100 % Ada"]),
        ("%%", []),
        ("s_ake", []),
        ("e_case", ["snake_case"]),
    ],
)
async def test_no_character_of_a_search_is_a_wildcard(
    live: Live, door: Door, root: Person, term: str, names: Sequence[str]
) -> None:
    await named(live, "100 % Ada", "snake_case", "back\\slash", "st*r", "O'Neil", "snakeXcase")
    assert await found(door, root, q=term) == list(names)


async def test_an_empty_search_finds_everybody(live: Live, door: Door, root: Person) -> None:
    await named(live, "One", "Two")
    for nothing in ("", "   "):
        assert await found(door, root, q=nothing) == ["One", "Two"]


async def test_a_search_that_finds_nobody_is_an_empty_page(live: Live, root: Person) -> None:
    body = (await live.rest.call("list_users", bearer=root.access, q="nobody at all")).body
    assert (body["data"], body["total"], body["total_pages"]) == ([], 0, 0)


async def test_search_and_status_hold_together_and_across_pages(
    live: Live, door: Door, root: Person
) -> None:
    await crowd(live, 12)
    await crowd(live, 1, email="x@else.example", name="Person else", status="inactive")
    query = {"q": "person", "status": "active"}
    ids = await walked(door, root, 5, **query)
    assert len(ids) == 12
    answer = await door.call("list_users", bearer=root.access, **query)
    assert answer.body["total"] == 12


async def test_a_changed_user_is_found_by_the_new_name_and_address_only(
    live: Live, door: Door, root: Person, ada: Person
) -> None:
    change = {"id": ada.id, "name": "Countess Lovelace", "email": "new@lovelace.example"}
    assert (await door.call("update_user", bearer=root.access, **change)).ok
    del live
    for term, names in (("countess", ["Countess Lovelace"]), (ada.email, [])):
        assert await found(door, root, q=term) == names
    assert await found(door, root, q="@lovelace") == ["Countess Lovelace"]


# The stream


async def streamed(live: Live, root: Person, **query: Any) -> list[dict[str, Any]]:
    answer = await live.rpc.call("stream_users", bearer=root.access, **query)
    assert answer.ok, answer
    users: list[dict[str, Any]] = answer.body["data"]
    return users


async def test_the_stream_gives_every_match_in_the_order_of_ids(live: Live, root: Person) -> None:
    await crowd(live, 2 * STREAM_BATCH + 30)
    users = await streamed(live, root)
    assert len(users) == 2 * STREAM_BATCH + 31
    ids = [user["id"] for user in users]
    assert ids == sorted(set(ids))
    (own,) = [user for user in users if user["id"] == root.id]
    assert own == (await live.rest.call("who_am_i", bearer=root.access)).body


async def test_the_stream_takes_the_filters_of_the_list(live: Live, root: Person) -> None:
    await crowd(live, 12)
    await crowd(live, 1, email="x@else.example", name="Person else", status="inactive")
    assert len(await streamed(live, root, q="PERSON", status="active")) == 12
    assert [user["name"] for user in await streamed(live, root, q="else")] == ["Person else"]
    assert await streamed(live, root, q="nobody at all") == []


async def test_the_stream_with_a_size_is_just_that_page(live: Live, root: Person) -> None:
    await crowd(live, 24)
    users = await streamed(live, root, page=2, size=10)
    page = await live.rpc.call("list_users", bearer=root.access, page=2, size=10)
    assert users == page.body["data"]
    assert len(users) == 5


@pytest.mark.one_database
@pytest.mark.parametrize("query", [{"size": -1}, {"size": 101}, {"page": -1}, {"status": "x"}])
async def test_a_bad_stream_is_refused_before_it_begins(
    live: Live, root: Person, query: dict[str, Any]
) -> None:
    answer = await live.rpc.call("stream_users", bearer=root.access, **query)
    assert answer.outcome == "invalid_request"
    assert set(answer.errors) == set(query)


async def test_the_stream_reads_no_further_than_its_caller_and_ends_when_it_leaves(
    live: Live, root: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    await crowd(live, 15 * STREAM_BATCH)
    batches = _counted(monkeypatch)
    narrow = Configuration(
        http2_connection_window_size=2**16 - 1, http2_stream_window_size=2**16 - 1
    )
    metadata = {"authorization": f"Bearer {root.access}"}
    async with Channel("127.0.0.1", live.rpc_port, config=narrow) as channel:
        stream = channel.request(
            OPERATIONS["stream_users"].rpc,
            Cardinality.UNARY_STREAM,
            ListUsersRequest,
            UserResponse,
            metadata=metadata,
        )
        async with stream:
            await stream.send_message(ListUsersRequest(), end=True)
            for _ in range(10):
                assert await stream.recv_message() is not None
            await _settled(batches)
            assert 0 < len(batches) < 8
            await stream.cancel()
    read = len(batches)
    await _settled(batches)
    assert len(batches) == read
    assert (await live.rpc.call("who_am_i", bearer=root.access)).ok


def _counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one for each batch that is read from the database."""
    batches: list[int] = []
    read = UserRepository.after

    async def counted(*args: Any, **kwargs: Any) -> Any:
        batches.append(len(batches))
        return await read(*args, **kwargs)

    monkeypatch.setattr(UserRepository, "after", counted)
    return batches


async def _settled(batches: list[int]) -> None:
    """Wait until the service has read no batch for a while."""
    seen = -1
    while seen != len(batches):
        seen = len(batches)
        await asyncio.sleep(0.15)
