"""The inbox at both doors: read from the newest, marked, counted, deleted."""

from typing import Any
from uuid import UUID

import pytest

from service.core.access import SYSTEM
from service.core.ids import new_id
from service.core.scopes import NOTIFICATIONS_READ, NOTIFICATIONS_WRITE
from service.notifications import repository
from service.notifications.models import Notification
from service.notifications.repository import KEPT, KEPT_WHEN_READ, NotificationRepository
from tests.support.doors import Answer, Door
from tests.support.live import Live
from tests.support.notices import notified
from tests.support.people import Person

HOSTILE_IDS = [
    "0",
    "nonexistent-id",
    "01A2141B-74D3-7096-A093-49B3CA50768B",
    "{01a2141b-74d3-7096-a093-49b3ca50768b}",
    "01a2141b74d37096a09349b3ca50768b",
    "' OR '1'='1",
    "%00",
    "..%2f..",
    "\u2028",
    "٠1a2141b-74d3-7096-a093-49b3ca50768b",
    "x" * 300,
]
FIELDS = {"id", "kind", "title", "body", "created_at", "read_at"}


async def listed(door: Door, who: Person, asker: Person | None = None, **more: Any) -> Answer:
    asked = {"user_id": who.id, **more}
    answer = await door.call("list_notifications", bearer=(asker or who).access, **asked)
    assert answer.ok, answer
    return answer


def titles(answer: Answer) -> list[str]:
    return [each["title"] for each in answer.body["data"]]


async def mark(door: Door, who: Person, notification: object) -> Answer:
    asked = {"user_id": who.id, "notification_id": str(notification)}
    return await door.call("mark_notification_read", bearer=who.access, **asked)


async def unread(live: Live, who: Person) -> int:
    answer = await live.rpc.call("count_unread", bearer=who.access, user_id=who.id)
    return int(answer.body["unread"])


# Reading


async def test_an_inbox_is_read_from_the_newest(live: Live, door: Door, ada: Person) -> None:
    for title in ("one", "two", "three"):
        await notified(ada, title)
    answer = await listed(door, ada)
    assert titles(answer) == ["three", "two", "one"]
    assert (answer.body["unread"], answer.body["size"]) == (3, 10)
    assert answer.body["next_cursor"] is None
    assert set(answer.body["data"][0]) == FIELDS
    assert answer.body["data"][0]["read_at"] is None
    assert answer.body["data"][0]["kind"] == "welcome"
    assert await unread(live, ada) == 3


async def test_an_empty_inbox_is_an_empty_list(door: Door, ada: Person) -> None:
    answer = await listed(door, ada)
    assert (answer.body["data"], answer.body["unread"]) == ([], 0)


async def test_pages_follow_each_other_also_from_door_to_door(live: Live, ada: Person) -> None:
    for number in range(7):
        await notified(ada, str(number))
    seen, cursor = [], None
    for turn in range(4):
        door: Door = live.rest if turn % 2 else live.rpc
        more: dict[str, Any] = {"cursor": cursor} if cursor else {}
        answer = await listed(door, ada, size=2, **more)
        seen += titles(answer)
        cursor = answer.body["next_cursor"]
    assert seen == ["6", "5", "4", "3", "2", "1", "0"]
    assert cursor is None


async def test_what_comes_meanwhile_shifts_no_page(door: Door, ada: Person) -> None:
    for title in ("one", "two", "three"):
        await notified(ada, title)
    first = await listed(door, ada, size=2)
    await notified(ada, "four")
    second = await listed(door, ada, size=2, cursor=first.body["next_cursor"])
    assert titles(first) + titles(second) == ["three", "two", "one"]


async def test_only_unread_ones_may_be_asked_for(live: Live, door: Door, ada: Person) -> None:
    await notified(ada, "one")
    two = await notified(ada, "two")
    await notified(ada, "three")
    assert (await mark(door, ada, two)).ok
    answer = await listed(door, ada, unread=True)
    assert titles(answer) == ["three", "one"]
    assert answer.body["unread"] == 2
    assert titles(await listed(door, ada)) == ["three", "two", "one"]
    assert await unread(live, ada) == 2


async def test_admins_see_what_somebody_was_told_and_nobody_elses(
    door: Door, ada: Person, root: Person
) -> None:
    await notified(ada, "hers")
    await notified(root, "theirs")
    assert titles(await listed(door, ada, asker=root)) == ["hers"]
    missing = {"user_id": str(new_id())}
    answer = await door.call("list_notifications", bearer=root.access, **missing)
    assert answer.outcome == "user_not_found"


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("field", "value"),
    [("size", 101), ("size", -1), ("cursor", "AAAA"), ("cursor", "x" * 201), ("cursor", "\x00")],
)
async def test_what_can_not_be_asked_is_refused_by_field(
    door: Door, ada: Person, field: str, value: Any
) -> None:
    asked = {"user_id": ada.id, field: value}
    answer = await door.call("list_notifications", bearer=ada.access, **asked)
    assert (answer.outcome, set(answer.errors)) == ("invalid_request", {field})


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("field", "value"), [("size", "0"), ("unread", "yes"), ("unread", "1"), ("page", "1")]
)
async def test_a_query_is_read_strictly(live: Live, ada: Person, field: str, value: str) -> None:
    path = f"/api/v1/users/{ada.id}/notifications"
    headers = {"authorization": f"Bearer {ada.access}"}
    answer = await live.rest.client.get(path, params={field: value}, headers=headers)
    assert (answer.status_code, set(answer.json()["errors"])) == (400, {field})


# Marking and deleting


async def test_marked_read_it_stays_so_since_the_first_time(
    live: Live, door: Door, ada: Person
) -> None:
    one = await notified(ada)
    for _ in range(2):
        assert (await mark(door, ada, one)).ok
        live.clock.forward(minutes=10)
    (row,) = (await listed(door, ada)).body["data"]
    assert row["read_at"] == "2026-03-14T15:09:26.535897Z"
    assert await unread(live, ada) == 0


async def test_all_that_is_there_is_marked_and_what_comes_later_is_not(
    live: Live, door: Door, ada: Person, root: Person
) -> None:
    one = await notified(ada, "one")
    await mark(door, ada, one)
    live.clock.forward(minutes=10)
    await notified(ada, "two")
    await notified(root, "not hers")
    asked = {"user_id": ada.id}
    assert (await door.call("mark_all_notifications_read", bearer=ada.access, **asked)).ok
    await notified(ada, "three")
    answer = await listed(door, ada)
    assert [each["read_at"] for each in answer.body["data"]] == [
        None,
        "2026-03-14T15:19:26.535897Z",
        "2026-03-14T15:09:26.535897Z",
    ]
    assert await unread(live, root) == 1


async def test_what_is_deleted_is_gone(live: Live, door: Door, ada: Person) -> None:
    await notified(ada, "one")
    two = await notified(ada, "two")
    asked = {"user_id": ada.id, "notification_id": str(two)}
    assert (await door.call("delete_notification", bearer=ada.access, **asked)).ok
    assert titles(await listed(door, ada)) == ["one"]
    again = await door.call("delete_notification", bearer=ada.access, **asked)
    assert again.outcome == "notification_not_found"
    assert (await mark(door, ada, two)).outcome == "notification_not_found"


@pytest.mark.parametrize("operation", ["mark_notification_read", "delete_notification"])
async def test_anothers_is_as_good_as_none(
    live: Live, door: Door, ada: Person, root: Person, operation: str
) -> None:
    theirs = await notified(root)
    asked = {"user_id": ada.id, "notification_id": str(theirs)}
    answer = await door.call(operation, bearer=ada.access, **asked)
    assert answer.outcome == "notification_not_found"
    asked["user_id"] = root.id
    assert (await door.call(operation, bearer=ada.access, **asked)).outcome == "forbidden"
    assert await unread(live, root) == 1


@pytest.mark.parametrize("operation", ["mark_notification_read", "delete_notification"])
@pytest.mark.parametrize("text", HOSTILE_IDS)
async def test_what_is_no_id_is_not_found(
    live: Live, door: Door, ada: Person, operation: str, text: str
) -> None:
    await notified(ada)
    asked = {"user_id": ada.id, "notification_id": text}
    answer = await door.call(operation, bearer=ada.access, **asked)
    assert answer.outcome == "notification_not_found"
    assert await unread(live, ada) == 1


@pytest.mark.parametrize("text", HOSTILE_IDS)
async def test_what_is_no_user_has_no_inbox(door: Door, root: Person, text: str) -> None:
    answer = await door.call("list_notifications", bearer=root.access, user_id=text)
    assert answer.outcome == "user_not_found"


async def test_a_key_reads_or_writes_as_its_scopes_say(live: Live, door: Door, ada: Person) -> None:
    one = str(await notified(ada))
    reads = await live.people.api_key(ada, NOTIFICATIONS_READ)
    writes = await live.people.api_key(ada, NOTIFICATIONS_WRITE)
    read = {"operation": "list_notifications", "user_id": ada.id}
    write = {"operation": "mark_notification_read", "user_id": ada.id, "notification_id": one}
    for key, asked, outcome in (
        (reads, read, "ok"),
        (reads, write, "insufficient_scope"),
        (writes, write, "ok"),
        (writes, read, "insufficient_scope"),
    ):
        arguments = dict(asked)
        answer = await door.call(arguments.pop("operation"), bearer=key, **arguments)
        assert answer.outcome == outcome


# What becomes of them


async def test_an_inbox_goes_with_its_user(live: Live, ada: Person) -> None:
    await notified(ada)
    await live.services.users.delete(SYSTEM, ada.id)
    assert await Notification.all().count() == 0


async def test_what_is_old_is_deleted_a_batch_at_a_time(
    live: Live, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "CLEANED_AT_ONCE", 2)
    notices, now = NotificationRepository(live.clock), live.clock()
    ages = {
        "new": (KEPT_WHEN_READ / 2, True),
        "read and old": (KEPT_WHEN_READ * 1.1, True),
        "unread and old": (KEPT_WHEN_READ * 1.1, False),
        "unread and ancient": (KEPT * 1.1, False),
        "read and ancient": (KEPT * 1.1, True),
    }
    for title, (age, is_read) in ages.items():
        await Notification.create(
            user_id=UUID(ada.id),
            event_id=new_id(),
            kind="welcome",
            title=title,
            body="",
            created_at=now - age,
            read_at=now - age if is_read else None,
        )
    assert await notices.clean()
    assert not await notices.clean()
    assert titles(await listed(live.rest, ada)) == ["unread and old", "new"]
