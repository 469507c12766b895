"""Orders, at either door: money to the last digit, one way on at a time, nobody else's business."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import pytest

from service.core.access import SYSTEM, Actor
from service.core.events import Event
from service.core.ids import new_id
from service.orders.service import STREAM_BATCH
from service.users.errors import UserNotFound
from tests.support.doors import Answer, Door
from tests.support.live import Live
from tests.support.operations import API
from tests.support.orders import ITEM, ORDER, brought_to, events_of, ordered
from tests.support.people import People, Person

NOBODY = "01900000-0000-7000-8000-00000000abcd"
"""An id that nothing has."""
STEPS = ("pay", "ship", "deliver", "cancel")
STATUSES = ("pending", "paid", "shipped", "delivered", "cancelled")
GOOD = {
    ("pending", "pay"): "paid",
    ("paid", "ship"): "shipped",
    ("shipped", "deliver"): "delivered",
    ("pending", "cancel"): "cancelled",
    ("paid", "cancel"): "cancelled",
}
WRONG = [(status, step) for status in STATUSES for step in STEPS if (status, step) not in GOOD]


async def step(door: Door, name: str, who: Person, order_id: str, **more: Any) -> Answer:
    return await door.call(f"{name}_order", bearer=who.access, id=order_id, **more)


def priced(*prices: str, currency: str = "EUR", quantity: int = 1) -> dict[str, Any]:
    """An order of one line for each price."""
    items = [{**ITEM, "quantity": quantity, "unit_price": price} for price in prices]
    return {"currency": currency, "items": items}


# Making


async def test_an_order_is_made_shown_and_found_again(door: Door, live: Live, ada: Person) -> None:
    made = await door.call("create_order", bearer=ada.access, **ORDER)
    now = live.clock().isoformat(timespec="microseconds").replace("+00:00", "Z")
    order = made.body
    assert made.ok, made
    assert order == {
        "id": order["id"],
        "user_id": ada.id,
        "status": "pending",
        "currency": "EUR",
        "total": "9.00",
        "items": [ITEM],
        "created_at": now,
        "updated_at": now,
    }
    for again_at in (live.rest, live.rpc):
        read = await again_at.call("get_order", bearer=ada.access, id=order["id"])
        assert read.body == order
        assert read.headers["etag"] == made.headers["etag"] == '"1"'


async def test_a_new_order_says_where_it_is_and_is_not_sent_twice(live: Live, ada: Person) -> None:
    made = await live.rest.call("create_order", bearer=ada.access, **ORDER)
    place = made.headers["location"]
    assert place == f"{API}/orders/{made.body['id']}"
    bearer = {"authorization": f"Bearer {ada.access}"}
    first = await live.rest.client.get(place, headers=bearer)
    held = {**bearer, "if-none-match": first.headers["etag"]}
    assert (await live.rest.client.get(place, headers=held)).status_code == 304


async def test_lines_keep_their_order_and_their_text(door: Door, ada: Person) -> None:
    names = [f"Nº {number} 渡邊 'quoted' \\ {number}" for number in range(100)]
    items = [{**ITEM, "name": f"  {name} ", "sku": f" s{name[-2:]}"} for name in names]
    made = await door.call("create_order", bearer=ada.access, currency="EUR", items=items)
    assert [item["name"] for item in made.body["items"]] == names
    read = await door.call("get_order", bearer=ada.access, id=made.body["id"])
    assert read.body == made.body


async def test_an_admin_makes_an_order_for_somebody_who_owns_it_then(
    door: Door, ada: Person, root: Person
) -> None:
    made = await door.call("create_order", bearer=root.access, user_id=ada.id, **ORDER)
    assert made.body["user_id"] == ada.id
    assert (await step(door, "pay", ada, made.body["id"])).ok


async def test_nobody_else_makes_one_for_another_whether_there_is_such_a_user_or_not(
    door: Door, people: People, ada: Person
) -> None:
    bob = await people.make("Bob")
    for other in (bob.id, str(new_id()), "nobody"):
        refused = await door.call("create_order", bearer=ada.access, user_id=other, **ORDER)
        assert refused.outcome == "forbidden"
    assert (await door.call("create_order", bearer=ada.access, user_id=ada.id, **ORDER)).ok


@pytest.mark.parametrize("nobody", ["", "nobody", NOBODY])
async def test_an_admin_is_told_that_there_is_no_such_user(
    door: Door, root: Person, nobody: str
) -> None:
    refused = await door.call("create_order", bearer=root.access, user_id=nobody, **ORDER)
    assert refused.outcome == "user_not_found"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"items": []}, "items"),
        ({"items": [ITEM] * 101}, "items"),
        ({"items": [{**ITEM, "sku": ""}]}, "items.0.sku"),
        ({"items": [{**ITEM, "sku": " \t"}]}, "items.0.sku"),
        ({"items": [{**ITEM, "sku": "x" * 65}]}, "items.0.sku"),
        ({"items": [ITEM, {**ITEM, "name": "x" * 256}]}, "items.1.name"),
        ({"items": [{**ITEM, "name": "a\x00b"}]}, "items.0.name"),
        ({"items": [{**ITEM, "quantity": 0}]}, "items.0.quantity"),
        ({"items": [{**ITEM, "quantity": -1}]}, "items.0.quantity"),
        ({"items": [{**ITEM, "quantity": 1_000_001}]}, "items.0.quantity"),
        ({"currency": ""}, "currency"),
        ({"currency": "eur"}, "currency"),
        ({"currency": "XYZ"}, "currency"),
        ({"currency": "XAU"}, "currency"),
    ],
)
async def test_what_no_order_may_be_is_refused_by_field(
    door: Door, ada: Person, change: Mapping[str, Any], field: str
) -> None:
    refused = await door.call("create_order", bearer=ada.access, **{**ORDER, **change})
    assert (refused.outcome, list(refused.errors)) == ("invalid_request", [field])


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "currency"),
        ({"currency": "EUR"}, "items"),
        ({**ORDER, "total": "1.00"}, "total"),
        ({**ORDER, "status": "paid"}, "status"),
        ({**ORDER, "items": {}}, "items"),
        ({**ORDER, "items": ["tea"]}, "items.0"),
        ({**ORDER, "items": [{**ITEM, "colour": "green"}]}, "items.0.colour"),
        ({**ORDER, "items": [{**ITEM, "quantity": 1.5}]}, "items.0.quantity"),
        ({**ORDER, "items": [{**ITEM, "quantity": "1"}]}, "items.0.quantity"),
        ({**ORDER, "items": [{**ITEM, "quantity": True}]}, "items.0.quantity"),
        ({**ORDER, "items": [{**ITEM, "unit_price": 4.5}]}, "items.0.unit_price"),
        ({**ORDER, "items": [{**ITEM, "unit_price": 4}]}, "items.0.unit_price"),
        ({**ORDER, "items": [{**ITEM, "unit_price": None}]}, "items.0.unit_price"),
    ],
)
async def test_what_json_alone_can_say_wrongly_is_refused_by_field(
    live: Live, ada: Person, body: Mapping[str, Any], field: str
) -> None:
    refused = await live.rest.call("create_order", bearer=ada.access, **body)
    assert refused.outcome == "invalid_request"
    assert field in refused.errors


# Money


@pytest.mark.parametrize(
    ("order", "prices", "total"),
    [
        (priced("0.1", "0.2"), ["0.10", "0.20"], "0.30"),
        (priced("0"), ["0.00"], "0.00"),
        (priced("1.10", quantity=3), ["1.10"], "3.30"),
        (priced("0.01", quantity=1_000_000), ["0.01"], "10000.00"),
        (priced("999999999999999.99"), ["999999999999999.99"], "999999999999999.99"),
        (priced("999999999999999", currency="JPY"), ["999999999999999"], "999999999999999"),
        (priced("1500", "1", currency="JPY"), ["1500", "1"], "1501"),
        (priced("1.5", currency="KWD"), ["1.500"], "1.500"),
        (
            priced("999999999999999.9999", currency="CLF"),
            ["999999999999999.9999"],
            "999999999999999.9999",
        ),
        (priced("0.0001", currency="UYW", quantity=7), ["0.0001"], "0.0007"),
        (priced("123456789012.34", quantity=81), ["123456789012.34"], "9999999909999.54"),
        (priced(*["9999999999999.99"] * 100), ["9999999999999.99"] * 100, "999999999999999.00"),
    ],
)
async def test_money_is_exact_and_has_the_decimals_of_its_currency(
    door: Door, live: Live, ada: Person, order: dict[str, Any], prices: list[str], total: str
) -> None:
    made = await door.call("create_order", bearer=ada.access, **order)
    assert made.ok, made
    read = (await live.rest.call("get_order", bearer=ada.access, id=made.body["id"])).body
    assert read == made.body
    assert [item["unit_price"] for item in read["items"]] == prices
    assert read["total"] == total


@pytest.mark.parametrize(
    "price",
    [
        *("-1", "-0", "+1", "1e5", "1E2", "NaN", "Infinity", "inf", " 1 ", "1 ", "1\n", ""),
        *("１", "1．5", "٣", "1,50", "1.", ".5", "01", "00", "0x1", "1_000", "$1", "1.2.3"),
        *("1.001", "1.000", "1.00000", "1000000000000000", "1" * 19, "9" * 4000),
    ],
)
async def test_what_is_no_price_in_euros_is_refused(door: Door, ada: Person, price: str) -> None:
    refused = await door.call("create_order", bearer=ada.access, **priced("1", price))
    assert refused.outcome == "invalid_request"
    assert list(refused.errors) in (["items"], ["items.1.unit_price"])


@pytest.mark.parametrize(
    ("currency", "price"),
    [
        *(("JPY", price) for price in ("100.5", "100.0", "0.1")),
        *(("EUR", price) for price in ("0.001", "0.100")),
        *(("KWD", price) for price in ("0.0001", "0.1000")),
        ("CLF", "0.00001"),
    ],
)
async def test_a_price_has_no_more_decimals_than_its_currency(
    door: Door, ada: Person, currency: str, price: str
) -> None:
    refused = await door.call(
        "create_order", bearer=ada.access, **priced("1", price, currency=currency)
    )
    assert refused.outcome == "invalid_request"
    assert any(field.startswith("items") for field in refused.errors)


@pytest.mark.parametrize(
    "order",
    [
        priced("999999999999999.99", "0.01"),
        priced("999999999999999", quantity=1_000_000),
        priced(*["999999999999999.99"] * 100, quantity=1_000_000),
        priced("999999999999999", "1", currency="JPY"),
    ],
)
async def test_a_total_that_no_column_holds_is_refused(
    door: Door, live: Live, ada: Person, order: dict[str, Any]
) -> None:
    refused = await door.call("create_order", bearer=ada.access, **order)
    assert (refused.outcome, list(refused.errors)) == ("invalid_request", ["items"])
    assert "1000000000000000" in refused.errors["items"][0]
    assert (await live.rest.call("list_orders", bearer=ada.access)).body["total"] == 0


# Sending again


async def test_an_order_sent_again_under_its_key_is_one_order_at_either_door(
    door: Door, live: Live, ada: Person
) -> None:
    key = {"idempotency-key": str(uuid4())}
    first = await door.call("create_order", bearer=ada.access, headers=key, **priced("1.5"))
    for again_at in (live.rest, live.rpc):
        again = await again_at.call(
            "create_order", bearer=ada.access, headers=key, **priced("1.50")
        )
        assert (again.ok, again.body) == (True, first.body)
        assert again.headers["etag"] == first.headers["etag"]
    assert (await door.call("list_orders", bearer=ada.access)).body["total"] == 1
    assert len(await events_of(live, first.body["id"])) == 1


async def test_the_first_answer_stands_when_the_order_has_moved_on(door: Door, ada: Person) -> None:
    key = {"idempotency-key": str(uuid4())}
    first = await door.call("create_order", bearer=ada.access, headers=key, **ORDER)
    assert (await step(door, "pay", ada, first.body["id"])).ok
    again = await door.call("create_order", bearer=ada.access, headers=key, **ORDER)
    assert again.body == first.body


async def test_another_order_under_the_same_key_is_refused(
    door: Door, live: Live, ada: Person, root: Person
) -> None:
    key = {"idempotency-key": str(uuid4())}
    await door.call("create_order", bearer=ada.access, headers=key, **ORDER)
    for other in (priced("1"), {**ORDER, "currency": "USD"}, {**ORDER, "user_id": ada.id}):
        refused = await door.call("create_order", bearer=ada.access, headers=key, **other)
        assert refused.outcome == "idempotency_mismatch"
    assert (await live.rpc.call("create_order", bearer=root.access, headers=key, **ORDER)).ok


async def test_of_simultaneous_twins_one_makes_the_order_and_both_get_it(
    live: Live, ada: Person
) -> None:
    for _ in range(5):
        key = {"idempotency-key": str(uuid4())}
        answers = await asyncio.gather(
            *(
                each.call("create_order", bearer=ada.access, headers=key, **ORDER)
                for each in (live.rest, live.rpc) * 4
            )
        )
        assert len({answer.body["id"] for answer in answers}) == 1
    assert (await live.rest.call("list_orders", bearer=ada.access)).body["total"] == 5


# How far an order goes


@pytest.mark.parametrize(("status", "name"), GOOD)
async def test_every_step_that_there_is(
    door: Door, live: Live, root: Person, status: str, name: str
) -> None:
    order = await brought_to(live, status, root.id)
    live.clock.forward(seconds=1)
    moved = await step(door, name, root, order.id)
    assert moved.ok, moved
    assert moved.body["status"] == GOOD[status, name]
    assert moved.body["updated_at"] > moved.body["created_at"]
    assert moved.headers["etag"] == f'"{order.version + 1}"'
    read = await door.call("get_order", bearer=root.access, id=order.id)
    assert read.body == moved.body


@pytest.mark.parametrize(("status", "name"), WRONG)
async def test_every_wrong_step_is_refused_and_says_what_is_possible(
    door: Door, live: Live, root: Person, status: str, name: str
) -> None:
    order = await brought_to(live, status, root.id)
    told = len(await events_of(live, order.id))
    refused = await step(door, name, root, order.id)
    possible = [one for (before, one) in GOOD if before == status]
    assert refused.outcome == "order_transition"
    assert f"is {status}." in refused.message
    assert all(word in refused.message for word in possible or ["nothing more"])
    after = await live.services.orders.get(SYSTEM, order.id)
    assert (after.status, after.version) == (status, order.version)
    assert len(await events_of(live, order.id)) == told


async def test_a_step_is_made_once_however_many_make_it(live: Live, ada: Person) -> None:
    order = await ordered(live, ada.id)
    answers = await asyncio.gather(
        *(step(each, "pay", ada, order.id) for each in (live.rest, live.rpc) * 5)
    )
    outcomes = sorted(answer.outcome for answer in answers)
    assert outcomes == ["ok", *["order_transition"] * 9]
    assert await events_of(live, order.id) == ["order.created", "order.paid"]


async def test_who_pays_and_who_cancels_at_once_never_both_win(live: Live, ada: Person) -> None:
    """Either one is refused, or the order was paid before the other looked and cancelled then."""
    for turn in range(20):
        order = await ordered(live, ada.id)
        doors = (live.rest, live.rpc) if turn % 2 else (live.rpc, live.rest)
        paid, cancelled = await asyncio.gather(
            step(doors[0], "pay", ada, order.id), step(doors[1], "cancel", ada, order.id)
        )
        after = await live.services.orders.get(SYSTEM, order.id)
        told = await events_of(live, order.id)
        match paid.outcome, cancelled.outcome:
            case "ok", "order_transition":
                assert (after.status, after.version) == ("paid", 2)
                assert told == ["order.created", "order.paid"]
            case "order_transition", "ok":
                assert (after.status, after.version) == ("cancelled", 2)
                assert told == ["order.created", "order.cancelled"]
            case outcomes:
                assert outcomes == ("ok", "ok")
                assert cancelled.headers["etag"] == '"3"'
                assert told == ["order.created", "order.paid", "order.cancelled"]


async def test_of_who_names_the_version_at_once_exactly_one_wins(live: Live, ada: Person) -> None:
    for turn in range(20):
        order = await ordered(live, ada.id)
        doors = (live.rest, live.rpc) if turn % 2 else (live.rpc, live.rest)
        answers = await asyncio.gather(
            step(doors[0], "pay", ada, order.id, headers={"if-match": '"1"'}),
            step(doors[1], "cancel", ada, order.id, headers={"if-match": '"1"'}),
        )
        (refused,) = [answer.outcome for answer in answers if not answer.ok]
        assert refused in ("etag_mismatch", "order_transition")
        assert len(await events_of(live, order.id)) == 2


@pytest.mark.parametrize("name", STEPS)
async def test_a_step_may_demand_a_version(door: Door, live: Live, root: Person, name: str) -> None:
    status = next(before for before, one in GOOD if one == name)
    order = await brought_to(live, status, root.id)
    stale = await step(door, name, root, order.id, headers={"if-match": '"99"'})
    assert stale.outcome == "etag_mismatch"
    assert stale.headers["etag"] == f'"{order.version}"'
    nonsense = await step(door, name, root, order.id, headers={"if-match": "nonsense"})
    assert list(nonsense.errors) == ["if-match"]
    missing = await step(door, name, root, str(new_id()), headers={"if-match": '"1"'})
    assert missing.outcome == "order_not_found"
    etag = {"if-match": f'"99", "{order.version}"'}
    assert (await step(door, name, root, order.id, headers=etag)).ok


# Whose business


@pytest.mark.parametrize("operation", ["get_order", "pay_order", "cancel_order"])
@pytest.mark.parametrize("role", ["user", "service"])
async def test_a_stranger_cannot_tell_a_missing_order_from_anothers(
    door: Door, live: Live, people: People, ada: Person, operation: str, role: str
) -> None:
    order = await ordered(live, ada.id)
    stranger = await people.signed_in("Eve", *([role] if role != "user" else []))
    refused = [
        await door.call(operation, bearer=stranger.access, id=id_, headers=headers)
        for id_ in (order.id, str(new_id()), "nonsense", order.id.upper())
        for headers in ({}, {"if-match": "nonsense"}, {"if-match": '"99"'})
    ]
    told = {(one.outcome, one.message, one.headers.get("etag")) for one in refused}
    assert told == {("forbidden", refused[0].message, None)}
    assert (await live.services.orders.get(SYSTEM, order.id)).version == 1


@pytest.mark.parametrize("operation", ["get_order", *(f"{name}_order" for name in STEPS)])
@pytest.mark.parametrize("missing", [NOBODY, NOBODY.upper(), "nonsense"])
async def test_an_admin_is_told_that_there_is_no_such_order(
    door: Door, root: Person, operation: str, missing: str
) -> None:
    refused = await door.call(operation, bearer=root.access, id=missing)
    assert refused.outcome == "order_not_found"


@pytest.mark.parametrize("name", ["ship", "deliver"])
async def test_nobody_ships_or_delivers_their_own_order(
    door: Door, live: Live, ada: Person, name: str
) -> None:
    order = await brought_to(live, "paid", ada.id)
    assert (await step(door, name, ada, order.id)).outcome == "forbidden"


async def test_a_key_for_reading_orders_reads_and_pays_none(
    door: Door, live: Live, people: People, ada: Person
) -> None:
    order = await ordered(live, ada.id)
    reader = await people.api_key(ada, "orders:read")
    assert (await door.call("get_order", bearer=reader, id=order.id)).ok
    assert (await door.call("list_orders", bearer=reader)).ok
    refused = await door.call("pay_order", bearer=reader, id=order.id)
    assert refused.outcome == "insufficient_scope"
    writer = await people.api_key(ada, "orders:write")
    assert (await door.call("pay_order", bearer=writer, id=order.id)).ok
    assert (await door.call("get_order", bearer=writer, id=order.id)).code == "insufficient_scope"


# Lists


async def listed(door: Door, who: Person, **wanted: Any) -> list[str]:
    """The ids of all pages, by cursor."""
    found: list[str] = []
    page = await door.call("list_orders", bearer=who.access, **wanted)
    while True:
        assert page.ok, page
        found += [order["id"] for order in page.body["data"]]
        if page.body["next_cursor"] is None:
            return found
        more = {**wanted, "cursor": page.body["next_cursor"]}
        page = await door.call("list_orders", bearer=who.access, **more)
        assert not {"page", "total", "total_pages"} & page.body.keys()


async def test_everybody_lists_their_own_orders_and_an_admin_all(
    door: Door, live: Live, people: People, ada: Person, root: Person
) -> None:
    bob = await people.signed_in("Bob")
    of_ada = [(await ordered(live, ada.id)).id for _ in range(3)]
    of_bob = [(await ordered(live, bob.id)).id for _ in range(2)]
    assert await listed(door, ada) == of_ada
    assert await listed(door, ada, user_id=ada.id) == of_ada
    assert await listed(door, root) == of_ada + of_bob
    assert await listed(door, root, user_id=bob.id) == of_bob
    assert await listed(door, root, user_id=str(new_id())) == []
    for other in (bob.id, str(new_id()), "nonsense"):
        refused = await door.call("list_orders", bearer=ada.access, user_id=other)
        assert refused.outcome == "forbidden"
    nonsense = await door.call("list_orders", bearer=root.access, user_id="nonsense")
    assert list(nonsense.errors) == ["user_id"]


async def test_orders_of_a_status_come_by_cursor_each_once(
    door: Door, live: Live, ada: Person, root: Person
) -> None:
    wanted: dict[str, list[str]] = {status: [] for status in STATUSES}
    for number in range(10):
        status = STATUSES[number % 5]
        wanted[status].append((await brought_to(live, status, ada.id)).id)
    for status, ids in wanted.items():
        for who in (ada, root):
            assert await listed(door, who, status=status, size=1) == ids
        assert await listed(door, root, status=status, user_id=ada.id, size=2) == ids


async def test_a_page_by_number_knows_the_total(door: Door, live: Live, ada: Person) -> None:
    ids = [(await ordered(live, ada.id)).id for _ in range(5)]
    page = (await door.call("list_orders", bearer=ada.access, page=1, size=2)).body
    assert [order["id"] for order in page["data"]] == ids[2:4]
    assert (page["page"], page["size"], page["total"]) == (1, 2, 5)
    if door.name == "rest":
        assert page["total_pages"] == 3
    last = (await door.call("list_orders", bearer=ada.access, page=2, size=2)).body
    assert last["next_cursor"] is None
    beyond = (await door.call("list_orders", bearer=ada.access, page=9, size=2)).body
    assert (beyond["data"], beyond["total"]) == ([], 5)


async def test_orders_made_while_a_list_is_read_come_at_its_end(
    door: Door, live: Live, ada: Person
) -> None:
    first = [(await ordered(live, ada.id)).id for _ in range(2)]
    page = await door.call("list_orders", bearer=ada.access, size=1)
    late = (await ordered(live, ada.id)).id
    cursor, found = page.body["next_cursor"], [page.body["data"][0]["id"]]
    while cursor:
        page = await door.call("list_orders", bearer=ada.access, size=1, cursor=cursor)
        found.append(page.body["data"][0]["id"])
        cursor = page.body["next_cursor"]
    assert found == [*first, late]


@pytest.mark.parametrize(
    ("wanted", "field"),
    [({"status": "lost"}, "status"), ({"size": 101}, "size"), ({"cursor": "x"}, "cursor")],
)
async def test_what_no_list_can_be_is_refused_by_field(
    door: Door, ada: Person, wanted: Mapping[str, Any], field: str
) -> None:
    refused = await door.call("list_orders", bearer=ada.access, **wanted)
    assert (refused.outcome, list(refused.errors)) == ("invalid_request", [field])


async def test_a_stream_has_every_order_and_with_a_size_just_a_page(
    live: Live, people: People, ada: Person, root: Person
) -> None:
    bob = await people.signed_in("Bob")
    of_ada = [(await ordered(live, ada.id)).id for _ in range(5)]
    of_bob = [(await brought_to(live, "paid", bob.id)).id]

    async def streamed(who: Person, **wanted: Any) -> list[str]:
        answer = await live.rpc.call("stream_orders", bearer=who.access, **wanted)
        assert answer.ok, answer
        return [order["id"] for order in answer.body["data"]]

    assert await streamed(ada) == of_ada
    assert await streamed(root) == of_ada + of_bob
    assert await streamed(root, status="paid") == of_bob
    assert await streamed(root, user_id=ada.id) == of_ada
    assert await streamed(ada, page=1, size=2) == of_ada[2:4]
    refused = await live.rpc.call("stream_orders", bearer=ada.access, user_id=bob.id)
    assert refused.outcome == "forbidden"


async def test_a_stream_goes_on_over_many_batches(live: Live, ada: Person) -> None:
    ids = [(await ordered(live, ada.id)).id for _ in range(2 * STREAM_BATCH + 1)]
    answer = await live.rpc.call("stream_orders", bearer=ada.access)
    assert [order["id"] for order in answer.body["data"]] == ids


# What is told


async def test_each_change_tells_the_whole_order_in_its_users_lane(
    door: Door, live: Live, ada: Person, root: Person
) -> None:
    made = await door.call("create_order", bearer=ada.access, **ORDER)
    shown = [made]
    for name in ("pay", "ship", "deliver"):
        shown.append(await step(door, name, root, made.body["id"]))
    rows = await live.database.client.execute_query_dict(
        "SELECT type, user_id, data FROM events"
        f" WHERE subject = 'orders/{made.body['id']}' ORDER BY id"
    )
    assert [row["type"] for row in rows] == [
        f"order.{word}" for word in ("created", "paid", "shipped", "delivered")
    ]
    for version, (row, answer) in enumerate(zip(rows, shown, strict=True), start=1):
        assert str(row["user_id"]) == ada.id
        assert json.loads(row["data"]) == {**answer.body, "version": version}


async def test_an_order_whose_event_cannot_be_written_is_not_made(
    live: Live, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await ordered(live, ada.id)

    async def fails(*events: Event) -> None:
        raise RuntimeError("no outbox")

    monkeypatch.setattr(live.services.orders._events, "publish", fails)
    with pytest.raises(RuntimeError):
        await ordered(live, ada.id)
    with pytest.raises(RuntimeError):
        await live.services.orders.pay(SYSTEM, order.id)
    page = (await live.rest.call("list_orders", bearer=ada.access)).body
    assert [(one["id"], one["status"]) for one in page["data"]] == [(order.id, "pending")]


# Whose user is gone


async def test_a_deleted_users_orders_stay_without_a_user_and_go_their_way(
    door: Door, live: Live, people: People, ada: Person, root: Person
) -> None:
    bob = await people.signed_in("Bob")
    order, other = await brought_to(live, "paid", ada.id), await ordered(live, bob.id)
    assert (await door.call("delete_user", bearer=root.access, id=ada.id)).ok
    answer = await door.call("get_order", bearer=root.access, id=order.id)
    assert answer.headers["etag"] == f'"{order.version + 1}"', "it shows something else than before"
    read = answer.body
    assert read["user_id"] is None
    assert (read["total"], read["items"]) == (order.total, [ITEM])
    assert (await door.call("get_order", bearer=bob.access, id=order.id)).code == "forbidden"
    for name in ("ship", "deliver"):
        assert (await step(door, name, root, order.id)).ok
    assert (await events_of(live, order.id))[-2:] == ["order.shipped", "order.delivered"]
    assert await listed(door, root) == [order.id, other.id]
    assert await listed(door, root, user_id=ada.id) == []
    assert (await door.call("get_order", bearer=root.access, id=other.id)).body["user_id"] == bob.id


async def test_who_is_deleted_at_this_moment_orders_nothing(live: Live, people: People) -> None:
    eve = await people.make("Eve")
    await live.services.users.delete(SYSTEM, eve.id)
    with pytest.raises(UserNotFound):
        await live.services.orders.create(Actor(UUID(eve.id)), ORDER)
