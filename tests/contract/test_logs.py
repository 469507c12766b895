"""Nothing secret stands in any log line: canaries are planted everywhere, and looked for."""

import asyncio
import base64
import json
import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

from tests.support.databases import TABLES
from tests.support.doors import Answer, Door
from tests.support.ears import Ears, listening
from tests.support.live import Live
from tests.support.operations import OPERATIONS
from tests.support.people import Person, session_of

WORD = "canary"
SECRETS = ("_token", "secret", "key")
"""How the fields of answers end that hold what nobody else may know."""
EMAIL, NEW_EMAIL = f"{WORD}-one@{WORD}.example", f"{WORD}-two@{WORD}.example"
NAME, PASSWORD = f"{WORD.title()} Name", f"{WORD} password 5521"
NEW_PASSWORD = f"{WORD} password 5522"


@pytest.fixture
def ears(live: Live) -> Iterator[Ears]:
    """All that is logged at DEBUG, as ``config.logging`` would write it."""
    del live
    with listening() as heard:
        yield heard


class Walk:
    """Calls that remember every token they were given."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self.tokens: list[str] = []
        self.walked: set[str] = set()

    async def __call__(self, operation: str, **arguments: Any) -> Answer:
        self.walked.add(operation)
        answer = await self._door.call(operation, **arguments)
        self.tokens += [v for name, v in answer.body.items() if name.endswith(SECRETS)]
        return answer


async def _whole_walk(walk: Walk, root: Person) -> None:
    """Every operation once and more, good and refused."""
    account: dict[str, Any] = {"name": NAME, "email": EMAIL, "password": PASSWORD}
    made = await walk("register", **account)
    user = {"id": made.body["id"]}
    await walk("register", **account)
    await walk("register", **account | {"email": f"{WORD} is no address", "name": "\x00" + WORD})
    for password in (PASSWORD, f"{WORD} wrong password"):
        await walk("login", email=EMAIL, password=password)
    await walk("login", email=f"{WORD}-unknown@example.com", password=PASSWORD)
    access, refresh = walk.tokens[0], walk.tokens[1]
    if "." not in access:
        access, refresh = refresh, access
    for _ in range(2):
        await walk("refresh", refresh_token=refresh)
    await walk("refresh", refresh_token=f"{WORD}-garbage")
    for bearer in (access, f"{WORD}.garbage.token", refresh, None):
        await walk("who_am_i", bearer=bearer)
    await walk("update_user", bearer=access, email=NEW_EMAIL, current_password="no", **user)
    await walk("update_user", bearer=access, email=NEW_EMAIL, current_password=PASSWORD, **user)
    await walk("update_profile", bearer=access, bio=f"{WORD} bio", phone="+4412345678", **user)
    await walk("update_profile", bearer=access, avatar_url=f"{WORD}://bad", **user)
    await walk("get_profile", bearer=access, **user)
    await walk("get_user", bearer=access, id=f"{WORD}-is-no-id")
    for token in (access, refresh, f"{WORD}-garbage"):
        await walk("introspect", bearer=root.access, token=token)
    await walk("list_users", bearer=root.access, q=WORD)
    await walk("list_users", bearer=root.access, cursor=f"{WORD}-cursor")
    if walk._door.offers("stream_users"):
        await walk("stream_users", bearer=root.access, q=WORD)
        await walk("watch_users", bearer=root.access, resume_token=f"{WORD}-token")
        await walk("watch_users", bearer=root.access, types=[WORD])
    await walk("create_user", bearer=root.access, **account | {"email": f"{WORD}@else.example"})
    await walk("create_role", bearer=root.access, name="editor", description=f"{WORD} edits")
    await walk("grant_role", bearer=root.access, user_id=user["id"], name="editor")
    await walk("grant_role", bearer=root.access, user_id=user["id"], name=f"{WORD}-role")
    await walk("delete_role", bearer=root.access, name="editor")
    await walk("refresh", refresh_token=walk.tokens[-1])
    await walk("set_user_status", bearer=root.access, status="suspended", **user)
    await walk("set_user_status", bearer=root.access, status=WORD, **user)
    await walk("logout", bearer=access)
    await walk("delete_user", bearer=root.access, **user)
    await walk("logout", bearer=root.access, all=True)


async def _credentials_walk(walk: Walk, root: Person) -> None:
    """API keys and client secrets: made, used, wrong; of each one revoked and one left."""
    own = {"user_id": root.id}
    new: dict[str, Any] = {"name": f"{WORD} key", "scopes": ["users:read"], **own}
    kept = await walk("create_api_key", bearer=root.access, **new)
    gone = await walk("create_api_key", bearer=root.access, **new)
    await walk("create_api_key", bearer=root.access, **new | {"scopes": [WORD]})
    await walk("revoke_api_key", bearer=root.access, key_id=gone.body["id"], **own)
    await walk("revoke_api_key", bearer=root.access, key_id=f"{WORD}-is-no-id", **own)
    key = kept.body["key"]
    for bearer in (key, gone.body["key"], key[:-1], f"arc_{WORD}"):
        await walk("who_am_i", bearer=bearer)
        await walk("introspect", bearer=root.access, token=bearer)
    await walk("create_role", bearer=key, name="editor")
    await walk("list_api_keys", bearer=root.access, **own)
    await walk("grant_role", bearer=root.access, name="service", **own)
    again = await walk("login", email=root.email, password=root.password)
    bearer = again.body["access_token"]
    first = await walk("create_client_secret", bearer=bearer, **own)
    second = await walk("create_client_secret", bearer=bearer, **own)
    await walk("revoke_client_secret", bearer=bearer, secret_id=second.body["id"], **own)
    shown = first.body["client_secret"]
    for wrong in (shown, second.body["client_secret"], shown[:-1], f"{WORD} secret"):
        await walk("issue_token", client_id=root.id, client_secret=wrong)
    await walk("issue_token", client_id=f"{WORD} client", client_secret=shown)
    await walk("list_client_secrets", bearer=bearer, **own)


async def _webhooks_walk(walk: Walk, root: Person) -> None:
    """Webhooks: made, turned, tested at an address that leads nowhere, told again, deleted."""
    new = {"url": f"https://{WORD}.invalid/{WORD}", "description": f"{WORD} receiver"}
    made = await walk("create_webhook", bearer=root.access, **new)
    await walk("create_webhook", bearer=root.access, **new | {"url": f"http://{WORD}.invalid"})
    own = {"webhook_id": made.body["id"]}
    wrong = {"webhook_id": f"{WORD}-is-no-id"}
    await walk("rotate_webhook_secret", bearer=root.access, **own)
    await walk("update_webhook", bearer=root.access, types=[f"{WORD}.*"], **own)
    await walk("update_webhook", bearer=root.access, types=[f"{WORD}!"], **own)
    await walk("list_webhooks", bearer=root.access)
    for each in (own, wrong):
        for operation in ("get", "test", "replay", "delete"):
            await walk(f"{operation}_webhook", bearer=root.access, **each)
        await walk("list_webhook_deliveries", bearer=root.access, **each)


async def _sessions_walk(walk: Walk, root: Person) -> None:
    """Log-ins, refreshes good and stolen, a changed password, and sessions that are ended."""
    account = {"email": EMAIL, "password": PASSWORD}
    made = await walk("register", name=NAME, **account)
    own = {"user_id": made.body["id"]}
    for wrong in (f"{WORD} wrong password", PASSWORD.upper()):
        await walk("login", **account | {"password": wrong})
    is_rest = walk._door.name == "rest"  # grpclib lets nobody else say what it is
    agent = {"user-agent": f"{WORD}-agent/1.0"} if is_rest else {}
    first, second, third = [(await walk("login", headers=agent, **account)).body for _ in range(3)]
    token = second["refresh_token"]
    for _ in range(3):
        await walk("refresh", headers=agent, refresh_token=token)
    newer = (await walk("refresh", refresh_token=walk.tokens[-1])).body
    await walk("refresh", refresh_token=token)  # it is reuse now
    await walk("refresh", refresh_token=newer.get("refresh_token", token))
    bearer = first["access_token"]
    change = {"current_password": PASSWORD, "password": NEW_PASSWORD, **own}
    await walk("change_password", bearer=bearer, **change | {"current_password": f"{WORD} no"})
    await walk("change_password", bearer=bearer, **change | {"password": f"{WORD}-one"})
    await walk("change_password", bearer=bearer, **change)
    await walk("login", **account)
    last = (await walk("login", **account | {"password": NEW_PASSWORD})).body
    for asked in (bearer, root.access, third["access_token"], f"{WORD}.no.token"):
        await walk("list_sessions", bearer=asked, ended=True, **own)
    ended = {"session_id": session_of(last["access_token"]), **own}
    await walk("revoke_session", bearer=bearer, **ended)
    await walk("revoke_session", bearer=bearer, **ended | {"session_id": f"{WORD}-is-no-id"})
    await walk("revoke_other_sessions", bearer=bearer, **own)
    await walk("revoke_role", bearer=root.access, name=f"{WORD}-role", **own)
    await walk("list_roles", bearer=root.access)
    if walk._door.offers("update_me"):
        await walk("update_me", bearer=bearer, email=NEW_EMAIL, current_password=NEW_PASSWORD)


async def _orders_walk(walk: Walk, root: Person) -> None:
    """Orders that say the word wherever a caller may write, good and refused."""
    item = {"sku": f"{WORD}-1", "name": NAME, "quantity": 1, "unit_price": "1.50"}
    order: dict[str, Any] = {"currency": "EUR", "items": [item], "bearer": root.access}
    key = {"idempotency-key": f"{WORD}-key"}
    made = await walk("create_order", headers=key, **order)
    await walk("create_order", headers=key, **order | {"currency": "USD"})
    for wrong in ({"currency": WORD}, {"items": [{**item, "unit_price": WORD}]}, {"user_id": WORD}):
        await walk("create_order", **order | wrong)
    for operation in ("get_order", "pay_order", "ship_order", "deliver_order", "cancel_order"):
        for named in (made.body["id"], f"{WORD}-is-no-id"):
            await walk(operation, bearer=root.access, id=named)
    await walk("list_orders", bearer=root.access, status=WORD, user_id=WORD)
    if walk._door.offers("stream_orders"):
        await walk("stream_orders", bearer=root.access, user_id=WORD)


async def _inbox_walk(walk: Walk, root: Person) -> None:
    """The inbox, asked for things that are not there by the word."""
    own = {"user_id": root.id, "bearer": root.access}
    await walk("list_notifications", **own, cursor=WORD)
    await walk("mark_all_notifications_read", **own)
    for operation in ("mark_notification_read", "delete_notification"):
        await walk(operation, **own, notification_id=f"{WORD}-is-no-id")
    if walk._door.offers("count_unread"):
        await walk("count_unread", **own)


async def _nouns_walk(walk: Walk, root: Person) -> None:
    """Each noun's own walk."""
    await _orders_walk(walk, root)
    await _inbox_walk(walk, root)


async def _a_bug(live: Live, walk: Walk) -> str:
    live.hasher.failure = RuntimeError(f"{WORD} in the message of a bug")
    answer = await walk("login", email=EMAIL, password=PASSWORD)
    live.hasher.failure = None
    assert answer.outcome == "internal"
    return answer.request_id


async def _a_broken_rule_of_the_schema(live: Live, walk: Walk, root: Person) -> str:
    """A unique index that the service knows nothing of, so breaking it is a bug."""
    account: dict[str, Any] = {"name": NAME, "password": PASSWORD}
    await live.database.client.execute_script("CREATE UNIQUE INDEX only_here ON users (name)")
    try:
        await walk("create_user", bearer=root.access, email=f"{WORD}-3@a.example", **account)
        answer = await walk(
            "create_user", bearer=root.access, email=f"{WORD}-4@a.example", **account
        )
    finally:
        of = " ON users" if live.database.dialect == "mysql" else ""
        await live.database.client.execute_script(f"DROP INDEX only_here{of}")
    assert answer.outcome == "internal"
    return answer.request_id


async def test_no_log_line_tells_a_secret(live: Live, door: Door, root: Person, ears: Ears) -> None:
    walk = Walk(door)
    bugs = [await _a_bug(live, walk), await _a_broken_rule_of_the_schema(live, walk, root)]
    hashes = await _hashes(live)
    await _nouns_walk(walk, root)
    await _whole_walk(walk, root)

    everything = ears.everything()
    assert WORD not in everything.lower()
    for secret in (*walk.tokens, *hashes, root.access, root.refresh, root.email):
        assert secret not in everything
    assert "$argon2" not in everything
    assert "INSERT INTO" not in everything
    _check_bugs(ears, bugs)


def _check_bugs(ears: Ears, ids: list[str]) -> None:
    """Each bug is one line with its request's id, its type and where it happened."""
    lines = [line for line in ears.lines() if line["logger"] == "arcana.errors"]
    assert [line["request_id"] for line in lines] == ids
    assert "RuntimeError" in lines[0]["message"]
    assert "IntegrityError" in lines[1]["message"]
    assert all(line["stack"] for line in lines)


async def test_no_line_and_no_column_tells_a_credential(
    live: Live, door: Door, root: Person, ears: Ears
) -> None:
    walk = Walk(door)
    await _credentials_walk(walk, root)
    await live.touches.flush()
    lines, columns = ears.everything(), await _columns(live)
    assert len([secret for secret in walk.tokens if secret.startswith(("arc_", "arcs_"))]) == 4
    for secret in (*walk.tokens, root.access, root.refresh):
        assert secret not in lines + columns
        assert secret[-24:] not in lines + columns
        assert sha256(secret.encode()).hexdigest() not in lines
    assert "arc_" in columns  # there is something to look at
    assert "arcs_" in columns
    assert WORD not in lines.lower()
    assert root.email not in lines


async def test_no_line_tells_a_webhook_s_secret_or_address(
    door: Door, root: Person, ears: Ears
) -> None:
    walk = Walk(door)
    await _webhooks_walk(walk, root)
    lines = ears.everything()
    assert len([secret for secret in walk.tokens if secret.startswith("whsec_")]) == 2
    assert WORD not in lines.lower()
    assert all(secret.removeprefix("whsec_") not in lines for secret in walk.tokens)


async def test_no_line_and_no_column_tells_a_password_or_a_token(
    live: Live, door: Door, root: Person, ears: Ears
) -> None:
    walk = Walk(door)
    await _sessions_walk(walk, root)
    await live.touches.flush()
    lines, columns, hashes = ears.everything(), await _columns(live), await _hashes(live)
    assert len(set(walk.tokens)) >= 12
    assert "-agent/1.0" in columns or door.name == "grpc"  # there is something to look at
    for secret in (*walk.tokens, root.access, root.refresh):
        assert secret not in lines + columns
        assert secret[-24:] not in lines + columns
    for proof in map(_proof, filter(_is_refresh, walk.tokens)):
        assert repr(proof)[2:-1] not in columns
        assert proof.hex() not in columns
    assert all(word not in columns for word in (PASSWORD, NEW_PASSWORD, root.password))
    assert WORD not in lines.lower()
    assert all(secret not in lines for secret in (*hashes, root.email, "$argon2"))


def _is_refresh(token: str) -> bool:
    return "." not in token


def _proof(token: str) -> bytes:
    """The part of a refresh token that makes it good; all before it is no secret."""
    return base64.urlsafe_b64decode(token)[-32:-16]


async def test_the_walks_leave_no_operation_out(live: Live, door: Door, root: Person) -> None:
    walk = Walk(door)
    await _nouns_walk(walk, root)
    await _sessions_walk(walk, root)
    await live.database.client.execute_script(f"DELETE FROM users WHERE id <> '{root.id}'")
    await _credentials_walk(walk, root)
    second = await live.people.signed_in("Second", "admin")
    await _webhooks_walk(walk, second)
    await _whole_walk(walk, second)
    offered = {name for name in OPERATIONS if door.offers(name)}
    assert offered - walk.walked == set()


async def _columns(live: Live) -> str:
    """Every column of every row."""
    rows = [await live.database.client.execute_query_dict(f"SELECT * FROM {t}") for t in TABLES]
    return json.dumps(rows, default=str)


async def _hashes(live: Live) -> list[str]:
    _, rows = await live.database.client.execute_query("SELECT password_hash FROM users")
    return [row["password_hash"] for row in rows]


async def test_every_call_is_one_line_with_its_facts(
    door: Door, ada: Person, root: Person, ears: Ears
) -> None:
    good = await door.call("get_user", bearer=ada.access, id=ada.id)
    bad = await door.call("get_user", id=ada.id)
    others = await door.call("get_user", bearer=ada.access, id=root.id)
    lines = [line for line in ears.lines() if line["logger"] == "arcana.access"]
    assert [line["request_id"] for line in lines] == [
        answer.request_id for answer in (good, bad, others)
    ]
    told = {"rest": [200, 401, 403], "grpc": ["OK", "UNAUTHENTICATED", "PERMISSION_DENIED"]}
    assert [line["status"] for line in lines] == told[door.name]
    assert [line["code"] for line in lines] == ["ok", "missing_token", "forbidden"]
    assert [line.get("actor") for line in lines] == [ada.id, None, ada.id]
    for line in lines:
        assert (line["operation"], line["peer"]) == ("getUser", "127.0.0.1")
        assert line["duration_ms"] >= 0
        assert root.id not in json.dumps(line)  # whom it was about is the caller's word


async def test_a_caller_that_leaves_is_told_of_and_counted_off(
    live: Live, door: Door, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered = asyncio.Event()

    async def endless(*_: object) -> bool:
        entered.set()
        await asyncio.Event().wait()
        return False

    monkeypatch.setattr(live.hasher, "verify", endless)
    call = asyncio.create_task(door.call("login", email=EMAIL, password=PASSWORD))
    async with asyncio.timeout(20):
        await entered.wait()
        assert live.app.ctx.in_flight + live.app.ctx.rpc.running == 1
        call.cancel()
        while not (lines := [li for li in ears.lines() if li["logger"] == "arcana.access"]):
            await asyncio.sleep(0.02)
        while live.app.ctx.in_flight + live.app.ctx.rpc.running:
            await asyncio.sleep(0.02)
    (line,) = lines
    assert (line["operation"], line["code"]) == ("login", "cancelled")
    assert line["status"] == {"rest": 499, "grpc": "CANCELLED"}[door.name]


async def test_an_operation_has_one_name_at_both_doors(live: Live, ears: Ears) -> None:
    doors = (live.rest, live.rpc)
    for operation in OPERATIONS.values():
        if all(door.offers(operation.name) for door in doors):
            names = re.findall(r"{(\w+)}", operation.routes[0])
            for door in doors:
                await door.call(operation.name, **dict.fromkeys(names, "x"))
            lines = [line for line in ears.lines() if line["logger"] == "arcana.access"]
            assert lines[-2]["operation"] == lines[-1]["operation"] != "unknown", lines[-2:]
