"""Nothing secret stands in any log line: canaries are planted everywhere, and looked for."""

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from config.log_lines import JsonLine, TextLine
from config.logging import OURS, _NoChatter
from tests.support.doors import Answer, Door
from tests.support.live import Live
from tests.support.people import Person

WORD = "canary"
EMAIL, NEW_EMAIL = f"{WORD}-one@{WORD}.example", f"{WORD}-two@{WORD}.example"
NAME, PASSWORD = f"{WORD.title()} Name", f"{WORD} password 5521"


@dataclass
class Ears:
    """Every record, and the lines that the two formats make of it."""

    records: list[logging.LogRecord] = field(default_factory=list)
    written: tuple[io.StringIO, io.StringIO] = field(
        default_factory=lambda: (io.StringIO(), io.StringIO())
    )

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.written[0].getvalue().splitlines()]

    def everything(self) -> str:
        """The lines, and whatever another format could make of our own records."""
        ours = [record for record in self.records if record.name.partition(".")[0] in OURS]
        raw = [f"{record.getMessage()} {vars(record)}" for record in ours]
        return "\n".join([*(stream.getvalue() for stream in self.written), *raw])


@pytest.fixture
def ears(live: Live) -> Iterator[Ears]:
    """All that is logged at DEBUG, as ``config.logging`` would write it."""
    del live
    heard, root = Ears(), logging.getLogger()
    handlers: list[logging.Handler] = [logging.StreamHandler(stream) for stream in heard.written]
    for handler, form in zip(handlers, (JsonLine(), TextLine()), strict=True):
        handler.setFormatter(form)
        handler.addFilter(_NoChatter())
    handlers.append(_Keeper(heard.records))
    level = root.level
    root.setLevel(logging.DEBUG)
    for handler in handlers:
        root.addHandler(handler)
    yield heard
    for handler in handlers:
        root.removeHandler(handler)
    root.setLevel(level)


class _Keeper(logging.Handler):
    """Keeps the records themselves."""

    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__()
        self._records = records

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append(record)


class Walk:
    """Calls that remember every token they were given."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self.tokens: list[str] = []

    async def __call__(self, operation: str, **arguments: Any) -> Answer:
        answer = await self._door.call(operation, **arguments)
        self.tokens += [v for name, v in answer.body.items() if name.endswith("_token")]
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


async def _hashes(live: Live) -> list[str]:
    _, rows = await live.database.client.execute_query("SELECT password_hash FROM users")
    return [row["password_hash"] for row in rows]


async def test_every_call_is_one_line_with_its_id_status_and_time(
    door: Door, ada: Person, ears: Ears
) -> None:
    good = await door.call("get_user", bearer=ada.access, id=ada.id)
    bad = await door.call("get_user", id=ada.id)
    lines = [line for line in ears.lines() if line["logger"] == "arcana.access"]
    assert [line["request_id"] for line in lines] == [good.request_id, bad.request_id]
    told = {"rest": [200, 401], "grpc": ["OK", "UNAUTHENTICATED"]}[door.name]
    assert [line["status"] for line in lines] == told
    assert all(line["duration_ms"] >= 0 for line in lines)
    assert all(ada.id not in json.dumps(line) for line in lines)
