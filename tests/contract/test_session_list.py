"""Who is signed in where: sessions are listed, and ended one by one or all but this."""

from typing import Any

import pytest

from service.auth.repository import KEPT_WHEN_DEAD
from service.auth.sessions import SHOWN_MAX
from service.core.access import SYSTEM
from service.core.ids import new_id
from service.infra.touches import EVERY
from tests.support.clock import START
from tests.support.doors import Answer, Door
from tests.support.live import Live
from tests.support.operations import API
from tests.support.people import PASSWORD, Person, session_of

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
FIELDS = {
    *("id", "created_at", "last_used_at", "expires_at", "device", "user_agent", "address"),
    *("current", "ended_at", "ended_why"),
}


async def listed(door: Door, person: Person, **arguments: Any) -> list[dict[str, Any]]:
    answer = await door.call("list_sessions", bearer=person.access, user_id=person.id, **arguments)
    assert answer.ok, answer
    return list(answer.body["data"])


async def is_let_in(door: Door, person: Person) -> bool:
    answer = await door.call("who_am_i", bearer=person.access)
    assert answer.outcome in ("ok", "invalid_token")
    return answer.ok


async def revoke(door: Door, actor: Person, owner: Person, session_id: str) -> Answer:
    return await door.call(
        "revoke_session", bearer=actor.access, user_id=owner.id, session_id=session_id
    )


# The list


async def test_a_session_tells_when_and_whence_it_was_begun(live: Live, door: Door) -> None:
    ada = await live.people.make("Ada")
    agent = {"user-agent": FIREFOX} if door.name == "rest" else {}
    pair = (await door.call("login", headers=agent, email=ada.email, password=PASSWORD)).body
    answer = await door.call("list_sessions", bearer=pair["access_token"], user_id=ada.id)
    (session,) = answer.body["data"]
    assert answer.body["more"] is False
    assert set(session) == FIELDS
    said = session["user_agent"]
    assert (session["device"], said) == {
        "rest": ("Firefox on Linux", FIREFOX),
        "grpc": ("grpc-python-grpclib", said),
    }[door.name]
    assert said
    assert session["id"] == session_of(pair["access_token"])
    assert (session["address"], session["current"]) == ("127.0.0.1", True)
    assert session["created_at"] == session["last_used_at"] == "2026-03-14T15:09:26.535897Z"
    assert session["expires_at"] == "2026-03-21T15:09:26.535897Z"
    assert (session["ended_at"], session["ended_why"]) == (None, None)


async def test_a_refresh_moves_the_session_to_where_it_came_from(
    live: Live, door: Door, ada: Person
) -> None:
    (before,) = await listed(door, ada)
    assert (before["address"], before["device"], before["user_agent"]) == ("192.0.2.1", None, None)
    live.clock.forward(days=1)
    pair = (await door.call("refresh", refresh_token=ada.refresh)).body
    answer = await door.call("list_sessions", bearer=pair["access_token"], user_id=ada.id)
    (session,) = answer.body["data"]
    assert session["address"] == "127.0.0.1"
    assert session["device"] in ("python-httpx", "grpc-python-grpclib")
    assert session["created_at"] == before["created_at"]
    assert session["last_used_at"] == "2026-03-15T15:09:26.535897Z"
    assert session["expires_at"] == "2026-03-22T15:09:26.535897Z"


@pytest.mark.one_database
async def test_what_a_program_calls_itself_can_break_nothing(live: Live) -> None:
    ada = await live.people.make("Ada")
    body = f'{{"email": "{ada.email}", "password": "{PASSWORD}"}}'.encode()
    for said in (b"\xff\xfe\x80", b"x" * 4000, "Ünï <script>".encode(), b"\x1b[31m"):
        agent = [(b"user-agent", said), (b"content-type", b"application/json")]
        answer = await live.rest.client.post("/api/v1/auth/login", content=body, headers=agent)
        assert answer.status_code in (200, 400)
    rows = await live.database.client.execute_query_dict("SELECT agent FROM sessions")
    assert all(len(row["agent"] or "") <= 255 for row in rows)


async def test_the_use_of_a_token_is_seen_within_a_minute(
    live: Live, door: Door, ada: Person
) -> None:
    live.clock.forward(seconds=EVERY.total_seconds())
    await door.call("who_am_i", bearer=ada.access)
    await live.touches.flush()
    (session,) = await listed(door, ada)
    assert session["last_used_at"] == "2026-03-14T15:10:11.535897Z"


async def test_no_use_of_a_token_that_is_refused_is_noted(
    live: Live, door: Door, ada: Person
) -> None:
    live.clock.forward(hours=2)
    assert not await is_let_in(door, ada)
    await live.touches.flush()
    fresh = await live.people.sign_in(ada)
    sessions = {each["id"]: each for each in await listed(door, fresh)}
    assert sessions[ada.session_id]["last_used_at"] == "2026-03-14T15:09:26.535897Z"


async def test_the_live_ones_are_told_by_their_last_use_and_only_this_one_is_current(
    live: Live, door: Door, ada: Person
) -> None:
    live.clock.forward(minutes=10)
    second = await live.people.sign_in(ada)
    live.clock.forward(minutes=10)
    await door.call("refresh", refresh_token=ada.refresh)
    await live.people.signed_in("Bob")
    sessions = await listed(door, second)
    assert [each["id"] for each in sessions] == [ada.session_id, second.session_id]
    assert [each["current"] for each in sessions] == [False, True]


async def test_ended_ones_are_told_with_their_reason_when_asked_for(
    live: Live, door: Door, ada: Person
) -> None:
    out, all_out, replayed = [await live.people.sign_in(ada) for _ in range(3)]
    await door.call("logout", bearer=out.access)
    live.clock.forward(seconds=11)
    await door.call("refresh", refresh_token=replayed.refresh)
    live.clock.forward(seconds=11)
    await door.call("refresh", refresh_token=replayed.refresh)
    await door.call("logout", bearer=all_out.access, all=True)
    back = await live.people.sign_in(ada)
    assert [each["id"] for each in await listed(door, back)] == [back.session_id]
    assert [each["id"] for each in await listed(door, back, ended=False)] == [back.session_id]
    sessions = await listed(door, back, ended=True)
    assert {each["id"]: each["ended_why"] for each in sessions} == {
        back.session_id: None,
        out.session_id: "logout",
        replayed.session_id: "refresh_reuse",
        all_out.session_id: "logout_all",
        ada.session_id: "logout_all",
    }
    assert sessions[0]["id"] == back.session_id
    ended = {each["id"]: each["ended_at"] for each in sessions}
    assert ended[out.session_id] == "2026-03-14T15:09:26.535897Z"
    assert ended[replayed.session_id] == "2026-03-14T15:09:48.535897Z"


@pytest.mark.parametrize("status", ["suspended", "inactive"])
async def test_an_account_that_was_barred_says_so_of_its_sessions(
    live: Live, door: Door, ada: Person, root: Person, status: str
) -> None:
    await live.services.users.set_status(SYSTEM, ada.id, {"status": status})
    asked = {"user_id": ada.id, "ended": True}
    (session,) = (await door.call("list_sessions", bearer=root.access, **asked)).body["data"]
    assert (session["id"], session["ended_why"]) == (ada.session_id, f"user_{status}")


async def test_an_expired_session_is_told_as_one_and_is_forgotten_after_a_month(
    live: Live, door: Door, ada: Person
) -> None:
    live.clock.forward(days=7)
    back = await live.people.sign_in(ada)
    assert [each["id"] for each in await listed(door, back)] == [back.session_id]
    expired = (await listed(door, back, ended=True))[1]
    assert (expired["id"], expired["ended_why"]) == (ada.session_id, "expired")
    assert expired["ended_at"] == expired["expires_at"] == "2026-03-21T15:09:26.535897Z"
    live.clock.forward(days=30)
    back = await live.people.sign_in(ada)
    shown = {each["id"] for each in await listed(door, back, ended=True)}
    assert ada.session_id not in shown


@pytest.mark.one_database
async def test_a_list_is_bounded_and_says_when_it_is_not_whole(
    live: Live, door: Door, ada: Person
) -> None:
    last = ada
    for _ in range(SHOWN_MAX):
        live.clock.forward(seconds=1)
        last = await live.people.sign_in(ada)
    answer = await door.call("list_sessions", bearer=last.access, user_id=ada.id)
    shown = [each["id"] for each in answer.body["data"]]
    assert (len(shown), answer.body["more"]) == (SHOWN_MAX, True)
    assert shown[0] == last.session_id
    assert ada.session_id not in shown
    own = (await door.call("list_sessions", bearer=ada.access, user_id=ada.id)).body["data"]
    assert len(own) == SHOWN_MAX
    assert [each["id"] for each in own if each["current"]] == [ada.session_id]


async def test_the_path_of_no_session_is_not_that_of_all(live: Live, ada: Person) -> None:
    other = await live.people.sign_in(ada)
    headers = {"authorization": f"Bearer {ada.access}"}
    answer = await live.rest.client.delete(f"{API}/users/{ada.id}/sessions/", headers=headers)
    assert answer.status_code in (404, 405)
    empty = await live.rpc.call("revoke_session", bearer=ada.access, user_id=ada.id, session_id="")
    assert empty.outcome == "session_not_found"
    assert (await live.rest.call("who_am_i", bearer=other.access)).ok


async def test_an_admin_sees_anybodys_and_none_of_them_is_current(
    door: Door, ada: Person, root: Person
) -> None:
    answer = await door.call("list_sessions", bearer=root.access, user_id=ada.id)
    assert [(s["id"], s["current"]) for s in answer.body["data"]] == [(ada.session_id, False)]


@pytest.mark.parametrize("user_id", ["nobody", "01900000-0000-7000-8000-000000000000"])
async def test_nobody_has_no_sessions_and_no_password(
    door: Door, root: Person, user_id: str
) -> None:
    asked = {"bearer": root.access, "user_id": user_id}
    for operation in ("list_sessions", "revoke_other_sessions"):
        assert (await door.call(operation, **asked)).outcome == "user_not_found"
    answer = await door.call("revoke_session", **asked, session_id=root.session_id)
    assert answer.outcome == "user_not_found"


@pytest.mark.one_database
@pytest.mark.parametrize("query", ["ended=yes", "ended=", "ended=true&ended=true", "old=true"])
async def test_a_list_that_is_not_understood_is_refused(
    live: Live, ada: Person, query: str
) -> None:
    headers = {"authorization": f"Bearer {ada.access}"}
    path = f"/api/v1/users/{ada.id}/sessions?{query}"
    assert (await live.rest.client.get(path, headers=headers)).status_code == 400


# Ending them


async def test_a_session_that_is_ended_is_refused_at_both_doors_and_the_others_live(
    live: Live, door: Door, ada: Person
) -> None:
    lost, other = [await live.people.sign_in(ada) for _ in range(2)]
    assert await is_let_in(live.rest, lost)
    assert (await revoke(door, ada, ada, lost.session_id)).ok
    for each in (live.rest, live.rpc):
        assert not await is_let_in(each, lost)
        refused = await each.call("refresh", refresh_token=lost.refresh)
        assert refused.outcome == "invalid_token"
        assert await is_let_in(each, ada)
        assert await is_let_in(each, other)
    ended = (await listed(door, ada, ended=True))[-1]
    assert (ended["id"], ended["ended_why"]) == (lost.session_id, "revoked")


async def test_a_session_may_end_itself(door: Door, ada: Person) -> None:
    assert (await revoke(door, ada, ada, ada.session_id)).ok
    assert not await is_let_in(door, ada)


async def test_what_is_no_live_session_of_that_user_cannot_be_ended(
    live: Live, door: Door, ada: Person, root: Person
) -> None:
    bob = await live.people.signed_in("Bob")
    gone = await live.people.sign_in(ada)
    await door.call("logout", bearer=gone.access)
    for session_id in (bob.session_id, gone.session_id, str(new_id()), "x", ada.session_id[:-1]):
        for actor in (ada, root):
            refused = await revoke(door, actor, ada, session_id)
            assert refused.outcome == "session_not_found"
    assert await is_let_in(door, bob)


async def test_an_expired_session_cannot_be_ended(live: Live, door: Door, ada: Person) -> None:
    live.clock.forward(days=8)
    back = await live.people.sign_in(ada)
    assert (await revoke(door, back, ada, ada.session_id)).outcome == "session_not_found"


async def test_all_others_end_and_this_one_stays(live: Live, door: Door, ada: Person) -> None:
    others = [await live.people.sign_in(ada) for _ in range(3)]
    bob = await live.people.signed_in("Bob")
    answer = await door.call("revoke_other_sessions", bearer=ada.access, user_id=ada.id)
    assert (answer.ok, answer.body) == (True, {})
    assert [await is_let_in(door, each) for each in (ada, bob, *others)] == [True] * 2 + [False] * 3
    assert (await door.call("refresh", refresh_token=ada.refresh)).ok
    again = await door.call("revoke_other_sessions", bearer=ada.access, user_id=ada.id)
    assert again.ok


async def test_an_admin_ends_every_session_of_another(
    live: Live, door: Door, ada: Person, root: Person
) -> None:
    other = await live.people.sign_in(ada)
    assert (await door.call("revoke_other_sessions", bearer=root.access, user_id=ada.id)).ok
    assert [await is_let_in(door, each) for each in (root, ada, other)] == [True, False, False]


# How long they last


async def test_a_session_ends_for_good_after_its_longest_life_however_often_it_is_refreshed(
    live: Live, door: Door, ada: Person
) -> None:
    token = ada.refresh
    for _ in range(14):
        live.clock.forward(days=6)
        token = (await door.call("refresh", refresh_token=token)).body["refresh_token"]
    live.clock.forward(days=6)
    assert (await door.call("refresh", refresh_token=token)).outcome == "invalid_token"
    assert (live.clock() - START).days == 90
    _, rows = await live.database.client.execute_query("SELECT counter, ended_at FROM sessions")
    assert [tuple(dict(row).values()) for row in rows] == [(14, None)]


async def test_an_access_token_does_not_outlive_its_session_and_says_so(
    live: Live, door: Door, ada: Person
) -> None:
    token = ada.refresh
    for days in (6,) * 14 + (5,):
        live.clock.forward(days=days)
        token = (await door.call("refresh", refresh_token=token)).body["refresh_token"]
    live.clock.forward(hours=23, minutes=50)
    pair = (await door.call("refresh", refresh_token=token)).body
    assert pair["expires_in"] == 600
    live.clock.forward(seconds=598)
    assert (await door.call("who_am_i", bearer=pair["access_token"])).ok
    live.clock.forward(seconds=2)
    assert (await door.call("who_am_i", bearer=pair["access_token"])).outcome == "invalid_token"


async def test_no_refresh_gives_a_token_that_is_dead_already(
    live: Live, door: Door, ada: Person
) -> None:
    live.clock.forward(days=6)
    token = ada.refresh
    for _ in range(13):
        token = (await door.call("refresh", refresh_token=token)).body["refresh_token"]
        live.clock.forward(days=6)
    token = (await door.call("refresh", refresh_token=token)).body["refresh_token"]
    live.clock.forward(days=6, milliseconds=-900)
    pair = await door.call("refresh", refresh_token=token)
    assert pair.body["expires_in"] == 1
    live.clock.forward(milliseconds=899)
    late = await door.call("refresh", refresh_token=pair.body["refresh_token"])
    assert late.outcome == "invalid_token"


async def test_a_session_refreshed_at_its_last_minute_is_not_taken_for_expired(
    live: Live, door: Door, ada: Person
) -> None:
    live.clock.forward(days=7, seconds=-30)
    pair = (await door.call("refresh", refresh_token=ada.refresh)).body
    assert (await door.call("who_am_i", bearer=pair["access_token"])).ok
    live.clock.forward(minutes=5)
    assert (await door.call("who_am_i", bearer=pair["access_token"])).ok


async def test_only_those_dead_for_a_month_are_deleted_a_batch_at_a_time(
    live: Live, door: Door, ada: Person
) -> None:
    sessions = live.services.auth._sessions
    others = [await live.people.sign_in(ada) for _ in range(2)]
    await door.call("logout", bearer=ada.access)
    live.clock.forward(days=7, seconds=KEPT_WHEN_DEAD.total_seconds())
    assert not await sessions.clean(at_most=2)
    assert await rows(live) == 3
    back = await live.people.sign_in(ada)
    live.clock.forward(seconds=1)
    assert [await sessions.clean(at_most=2) for _ in range(2)] == [True, False]
    assert await rows(live) == 1
    assert await is_let_in(door, back)
    for gone in (ada, *others):
        refused = await door.call("refresh", refresh_token=gone.refresh)
        assert refused.outcome == "invalid_token"


async def test_the_deletion_is_a_chore_of_one_process(live: Live, ada: Person) -> None:
    (chore,) = [each for each in live.services.chores if each.name == "sessions"]
    live.clock.forward(days=38)
    assert not await chore.step()
    assert await rows(live) == 0


async def rows(live: Live) -> int:
    found = await live.database.client.execute_query_dict("SELECT COUNT(*) AS n FROM sessions")
    return int(found[0]["n"])
