"""Webhooks at both doors: registered, shown without their secret, changed, tested, deleted."""

import json
from typing import Any

import pytest

from service.core.ids import new_id
from service.webhooks.repository import MOST
from tests.support.doors import Answer, Door
from tests.support.live import Live
from tests.support.operations import API
from tests.support.people import Person
from tests.support.receivers import receiving

URL = "https://example.com/hooks"
FIELDS = {
    *("id", "url", "description", "types", "status", "failing_since", "error"),
    *("previous_secret_until", "created_at", "updated_at"),
}
NOW = "2026-03-14T15:09:26.535897Z"


async def create(door: Door, who: Person, **more: Any) -> Answer:
    return await door.call("create_webhook", bearer=who.access, **{"url": URL, **more})


async def made(door: Door, who: Person, **more: Any) -> dict[str, Any]:
    answer = await create(door, who, **more)
    assert answer.ok, answer
    return answer.body


async def call(door: Door, operation: str, who: Person, webhook_id: str, **more: Any) -> Answer:
    return await door.call(operation, bearer=who.access, webhook_id=webhook_id, **more)


# Made


async def test_a_webhook_shows_its_secret_once(live: Live, door: Door, root: Person) -> None:
    answer = await create(door, root, types=["user.*", "order.paid"], description=" Billing ")
    assert set(answer.body) == {*FIELDS, "secret"}
    assert answer.body["secret"].startswith("whsec_")
    assert answer.headers["etag"] == '"1"'
    known = {name: answer.body[name] for name in FIELDS}
    assert known | {"id": ""} == {
        "id": "",
        "url": URL,
        "description": "Billing",
        "types": ["user.*", "order.paid"],
        "status": "enabled",
        "failing_since": None,
        "error": None,
        "previous_secret_until": None,
        "created_at": NOW,
        "updated_at": NOW,
    }
    for either in (live.rest, live.rpc):
        assert (await call(either, "get_webhook", root, known["id"])).body == known
        listed = await either.call("list_webhooks", bearer=root.access)
        assert listed.body["data"] == [known]


async def test_where_it_is_stands_in_location(live: Live, root: Person) -> None:
    answer = await create(live.rest, root)
    assert answer.headers["location"] == f"{API}/webhooks/{answer.body['id']}"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", ""),
        ("url", "http://example.com/"),
        ("url", "https://ada:secret@example.com/"),
        ("url", "https://10.0.0.1/"),
        ("url", "https://[::1]/"),
        ("url", "https://example.com/#x"),
        ("url", "https://example.com/" + "x" * 2040),
        ("description", "x" * 256),
        ("description", "a\x00b"),
        ("types", ["user created"]),
        ("types", ["user.*.x"]),
        ("types", [".user"]),
        ("types", [""]),
        ("types", ["x" * 49]),
        ("types", [f"t{n}" for n in range(21)]),
    ],
)
async def test_what_can_not_be_a_webhook_is_refused_by_field(
    door: Door, root: Person, field: str, value: Any
) -> None:
    answer = await create(door, root, **{field: value})
    assert answer.outcome == "invalid_request"
    assert set(answer.errors) == {field}
    text = json.dumps(answer.errors)
    assert "secret" not in text
    assert "10.0.0.1" not in text


@pytest.mark.one_database
async def test_types_and_addresses_are_kept_in_one_form(door: Door, root: Person) -> None:
    names = ["arcana.user.created", "user.created", "user.*"]
    hook = await made(door, root, url="https://BÜCHER.example:443", types=names)
    assert hook["types"] == ["user.created", "user.*"]
    assert hook["url"] == "https://xn--bcher-kva.example/"
    assert (await made(door, root, types=["user.*", "*"]))["types"] == []
    longest = [f"{'t' * 46}{n:02}" for n in range(20)]
    assert (await made(door, root, types=longest))["types"] == longest


async def test_an_idempotency_key_is_refused_for_no_answer_with_a_secret_is_kept(
    door: Door, root: Person
) -> None:
    headers = {"idempotency-key": str(new_id())}
    answer = await create(door, root, headers=headers)
    assert (answer.outcome, set(answer.errors)) == ("invalid_request", {"idempotency-key"})
    hook = await made(door, root)
    answer = await call(door, "rotate_webhook_secret", root, hook["id"], headers=headers)
    assert (answer.outcome, set(answer.errors)) == ("invalid_request", {"idempotency-key"})
    listed = await door.call("list_webhooks", bearer=root.access)
    assert len(listed.body["data"]) == 1


async def test_there_are_only_so_many(live: Live, door: Door, root: Person) -> None:
    hooks = [await made(live.rest, root) for _ in range(MOST)]
    assert (await create(door, root)).outcome == "webhook_limit"
    assert (await call(door, "delete_webhook", root, hooks[7]["id"])).ok
    assert (await create(door, root)).ok


async def test_no_column_holds_the_secret(live: Live, door: Door, root: Person) -> None:
    hook = await made(door, root)
    turned = await call(door, "rotate_webhook_secret", root, hook["id"])
    rows = await live.database.client.execute_query_dict("SELECT * FROM webhooks")
    written = json.dumps(rows, default=str)
    for secret in (hook["secret"], turned.body["secret"]):
        assert secret.removeprefix("whsec_")[:20] not in written


# Changed


async def test_what_is_given_is_changed_and_nothing_else(door: Door, root: Person) -> None:
    hook = await made(door, root, types=["user.*"], description="Billing")
    answer = await call(door, "update_webhook", root, hook["id"], url="https://b.example/x")
    assert answer.body == {n: hook[n] for n in FIELDS} | {"url": "https://b.example/x"}
    answer = await call(
        door, "update_webhook", root, hook["id"], types=["*"], description="", status="disabled"
    )
    assert (answer.body["types"], answer.body["description"]) == ([], "")
    assert answer.body["status"] == "disabled"
    assert answer.headers["etag"] == '"3"'


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("url", "http://example.com/"), ("status", "failing"), ("status", "")),
        ("types", ["?"]),
    ],
)
async def test_what_is_no_change_is_refused(
    door: Door, root: Person, field: str, value: Any
) -> None:
    hook = await made(door, root)
    answer = await call(door, "update_webhook", root, hook["id"], **{field: value})
    assert (answer.outcome, set(answer.errors)) == ("invalid_request", {field})
    assert (await call(door, "update_webhook", root, hook["id"])).outcome == "invalid_request"


async def test_a_change_may_demand_a_version(door: Door, root: Person) -> None:
    hook = await made(door, root)
    good, stale = {"if-match": '"1"'}, {"if-match": '"1"'}
    change = {"description": "Mine", "headers": good}
    first = await call(door, "update_webhook", root, hook["id"], **change)
    assert first.headers["etag"] == '"2"'
    late = await call(door, "update_webhook", root, hook["id"], **change)
    assert (late.outcome, late.headers["etag"]) == ("etag_mismatch", '"2"')
    kept = await call(door, "delete_webhook", root, hook["id"], headers=stale)
    assert kept.outcome == "etag_mismatch"
    gone = await call(door, "delete_webhook", root, hook["id"], headers={"if-match": '"2"'})
    assert gone.ok


async def test_what_there_is_not_is_not_found(door: Door, root: Person) -> None:
    for webhook_id in (str(new_id()), "nothing"):
        for operation, more in (
            *(("get_webhook", {}), ("delete_webhook", {}), ("test_webhook", {})),
            *(("rotate_webhook_secret", {}), ("list_webhook_deliveries", {})),
            *(("replay_webhook", {}), ("update_webhook", {"description": "x"})),
        ):
            answer = await call(door, operation, root, webhook_id, **more)
            assert answer.outcome == "webhook_not_found", operation


async def test_a_deleted_webhook_leaves_nothing(live: Live, door: Door, root: Person) -> None:
    hook = await made(door, root)
    name = f"webhook:{hook['id']}"
    query = f"SELECT name FROM sinks WHERE name = '{name}'"
    assert len(await live.database.client.execute_query_dict(query)) == 1
    assert (await call(door, "delete_webhook", root, hook["id"])).ok
    assert await live.database.client.execute_query_dict(query) == []
    assert (await call(door, "get_webhook", root, hook["id"])).outcome == "webhook_not_found"


async def test_a_new_secret_leaves_the_old_one_a_while(door: Door, root: Person) -> None:
    hook = await made(door, root)
    turned = await call(door, "rotate_webhook_secret", root, hook["id"], overlap_hours=2)
    assert turned.body["secret"] not in (hook["secret"], "")
    assert turned.body["previous_secret_until"] == "2026-03-14T17:09:26.535897Z"
    assert turned.headers["etag"] == '"2"'
    again = await call(door, "rotate_webhook_secret", root, hook["id"])
    assert again.body["previous_secret_until"] == "2026-03-15T15:09:26.535897Z"
    at_once = await call(door, "rotate_webhook_secret", root, hook["id"], overlap_hours=0)
    assert at_once.body["previous_secret_until"] is None
    for hours in (-1, 169):
        wrong = await call(door, "rotate_webhook_secret", root, hook["id"], overlap_hours=hours)
        assert (wrong.outcome, set(wrong.errors)) == ("invalid_request", {"overlap_hours"})


async def test_keys_read_and_change_but_never_see_a_secret(
    live: Live, door: Door, root: Person
) -> None:
    hook = await made(door, root)
    reader = await live.people.api_key(root, "webhooks:read")
    writer = await live.people.api_key(root, "webhooks:write")
    own: dict[str, Any] = {"webhook_id": hook["id"]}
    assert (await door.call("get_webhook", bearer=reader, **own)).ok
    change = own | {"status": "disabled"}
    assert (await door.call("update_webhook", bearer=reader, **change)).code == "insufficient_scope"
    assert (await door.call("update_webhook", bearer=writer, **change)).ok
    for operation, given in (("create_webhook", {"url": URL}), ("rotate_webhook_secret", own)):
        answer = await door.call(operation, bearer=writer, **given)
        assert answer.outcome == "insufficient_scope"


# Told again, and tested


async def test_deliveries_and_replays_of_nothing_are_empty(door: Door, root: Person) -> None:
    hook = await made(door, root)
    listed = await call(door, "list_webhook_deliveries", root, hook["id"])
    assert listed.body == {"data": [], "next_after": None}
    far = await call(door, "list_webhook_deliveries", root, hook["id"], after=2**63 - 1)
    assert far.body == listed.body
    for more in ({}, {"from_position": 1}):
        done = await call(door, "replay_webhook", root, hook["id"], **more)
        assert done.ok


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("from_event", "nothing"), ("from_event", "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b")),
        *(("from_position", 0), ("from_position", -1)),
    ],
)
async def test_a_replay_from_nowhere_is_refused(
    door: Door, root: Person, field: str, value: Any
) -> None:
    hook = await made(door, root)
    answer = await call(door, "replay_webhook", root, hook["id"], **{field: value})
    assert (answer.outcome, set(answer.errors)) == ("invalid_request", {field})


@pytest.mark.one_database
@pytest.mark.parametrize("since", ["yesterday", "2026-03-14", "2026-03-14T15:09:26", "1", 7])
async def test_an_instant_has_a_zone(live: Live, root: Person, since: Any) -> None:
    hook = await made(live.rest, root)
    answer = await call(live.rest, "replay_webhook", root, hook["id"], since=since)
    assert (answer.outcome, set(answer.errors)) == ("invalid_request", {"since"})
    good = await call(
        live.rest, "replay_webhook", root, hook["id"], since="2026-03-14t15:09:26.5+01:00"
    )
    assert good.ok


async def test_a_private_receiver_is_not_reached_by_a_test(door: Door, root: Person) -> None:
    async with receiving() as receiver:
        hook = await made(door, root, url=f"https://localhost:{receiver.port}/")
        answer = await call(door, "test_webhook", root, hook["id"])
    assert answer.ok
    assert (answer.body["taken"], answer.body["status"]) == (False, None)
    assert answer.body["error"] == "the host's address is not public"
    assert receiver.connections == 0


async def test_tests_are_limited(live: Live, door: Door, root: Person) -> None:
    hook = await made(door, root, url="https://hooks.invalid/")
    live.limits.on = True
    answers = [await call(door, "test_webhook", root, hook["id"]) for _ in range(11)]
    assert [answer.outcome for answer in answers] == ["ok"] * 10 + ["rate_limited"]
    live.clock.forward(minutes=1)
    assert (await call(door, "test_webhook", root, hook["id"])).ok
