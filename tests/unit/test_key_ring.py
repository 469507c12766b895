"""The ring in memory: when it reads, when it waits, and what it does without a database."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from service.core.errors import Unavailable
from service.core.keys import Secrets
from service.keys import ring as ring_module
from service.keys.held import HeldKey, Opener, State
from service.keys.jwk import public_jwk, written
from service.keys.models import SigningKey
from service.keys.ring import ABSENT_MAX, KeyRing
from service.keys.sealing import Safe
from tests.support.clock import START, MovingClock
from tests.support.keys import key_for, secrets_own

SECRET = b"a secret of at least thirty-two bytes"
SAFE = Safe(Secrets(SECRET))


def row(name: str = "EdDSA", **more: Any) -> SigningKey:
    """The row of a pair, which signs unless told otherwise."""
    key = key_for(name)
    jwk = public_jwk(key)
    facts = {"created_at": START, "signs_from": START, "expires_at": None} | more
    return SigningKey(
        kid=key.kid,
        algorithm=name,
        public=written(jwk) if jwk else None,
        sealed=SAFE.seal(key.kid, name, key.private()),
        **facts,
    )


def anchor(secret: bytes = SECRET, **more: Any) -> SigningKey:
    """The row that stands for a secret itself."""
    facts = {"created_at": START, "signs_from": START, "expires_at": None} | more
    return SigningKey(kid=secrets_own(secret).kid, algorithm="HS256", **facts)


class FakeLocksmith:
    """A table that can be away, and that counts how often it is read."""

    def __init__(self, *rows: SigningKey, secrets: Secrets | None = None) -> None:
        secrets = secrets or Secrets(SECRET)
        self.rows, self.reads, self.away, self.prepared = list(rows), 0, False, 0
        self.pause = asyncio.Event()
        self.pause.set()
        self._opener = Opener(secrets, Safe(secrets))

    async def keys(self) -> list[HeldKey]:
        self.reads += 1
        await self.pause.wait()
        if self.away:
            raise Unavailable
        return self._opener.hold(self.rows)

    async def prepare(self) -> None:
        self.prepared += 1
        if self.away:
            raise Unavailable

    def needs_mending(self, keys: list[HeldKey]) -> bool:
        return False


def made(locksmith: FakeLocksmith, clock: MovingClock | None = None) -> KeyRing:
    return KeyRing(locksmith, clock or MovingClock())  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _no_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ring_module, "GAP", 0.05)


async def test_a_key_that_is_known_costs_no_reading() -> None:
    locksmith = FakeLocksmith(row())
    ring = made(locksmith)
    await ring.refresh()
    for _ in range(100):
        assert await ring.find(key_for("EdDSA").kid)
        assert await ring.signing()
    assert locksmith.reads == 1


async def test_an_unknown_key_is_looked_up_once_however_many_ask() -> None:
    locksmith = FakeLocksmith(row())
    ring = made(locksmith)
    await ring.refresh()
    locksmith.rows.append(row("ES256", signs_from=None))
    locksmith.pause.clear()
    asking = [asyncio.create_task(ring.find(key_for("ES256").kid)) for _ in range(50)]
    await asyncio.sleep(0.1)
    locksmith.pause.set()
    found = await asyncio.gather(*asking)
    assert all(key is not None and key.algorithm == "ES256" for key in found)
    assert locksmith.reads == 2


async def test_who_asks_while_a_reading_is_under_way_gets_another_one() -> None:
    """The one under way may have begun before the key was there."""
    locksmith = FakeLocksmith(row())
    ring = made(locksmith)
    locksmith.pause.clear()
    early = asyncio.create_task(ring.refresh())
    await asyncio.sleep(0)
    late = asyncio.create_task(ring.find(key_for("ES256").kid))
    await asyncio.sleep(0.01)
    locksmith.pause.set()
    await early
    locksmith.rows.append(row("ES256", signs_from=None))
    assert await late


async def test_a_flood_of_unknown_keys_costs_few_readings() -> None:
    locksmith = FakeLocksmith(row())
    ring = made(locksmith)
    await ring.refresh()
    began = asyncio.get_running_loop().time()
    for batch in range(5):
        names = [f"{batch}-{number}" for number in range(200)]
        assert not any(await asyncio.gather(*(ring.find(name) for name in names)))
    gaps = (asyncio.get_running_loop().time() - began) / ring_module.GAP
    assert locksmith.reads <= 1 + gaps + 1
    assert len(ring._absent) == ABSENT_MAX


async def test_the_same_unknown_key_again_is_refused_at_once() -> None:
    locksmith = FakeLocksmith(row())
    ring = made(locksmith)
    for _ in range(10):
        assert await ring.find("nobody") is None
    assert locksmith.reads == 1


async def test_a_name_that_no_key_can_have_is_not_looked_up() -> None:
    locksmith = FakeLocksmith(row())
    ring = made(locksmith)
    await ring.refresh()
    for name in ("", "../../dev/null", "x" * 65, "a b", "é", "' OR 1=1"):
        assert await ring.find(name) is None
    assert locksmith.reads == 1


async def test_who_leads_a_reading_and_is_cancelled_takes_nobody_along() -> None:
    locksmith = FakeLocksmith(row())
    ring = made(locksmith)
    locksmith.pause.clear()
    leader = asyncio.create_task(ring.find(key_for("EdDSA").kid))
    await asyncio.sleep(0.01)
    follower = asyncio.create_task(ring.find(key_for("EdDSA").kid))
    await asyncio.sleep(0.01)
    leader.cancel()
    locksmith.pause.set()
    assert await follower


async def test_without_a_database_known_keys_serve_and_unknown_ones_are_nobodys_fault() -> None:
    locksmith = FakeLocksmith(row())
    ring = made(locksmith)
    await ring.refresh()
    locksmith.away = True
    assert await ring.find(key_for("EdDSA").kid)
    assert await ring.signing()
    with pytest.raises(Unavailable):
        await ring.find("unknown")
    outcomes = await asyncio.gather(
        *(ring.find(f"unknown-{n}") for n in range(100)), return_exceptions=True
    )
    assert {type(outcome) for outcome in outcomes} == {Unavailable}
    assert locksmith.reads <= 4, "those who ask together fail together"
    locksmith.away = False
    assert await ring.find("unknown") is None


async def test_without_a_database_and_without_a_key_nothing_is_signed() -> None:
    locksmith = FakeLocksmith()
    locksmith.away = True
    with pytest.raises(Unavailable):
        await made(locksmith).signing()


async def test_a_key_is_good_until_its_end() -> None:
    clock = MovingClock()
    ring = made(FakeLocksmith(row(expires_at=START + timedelta(seconds=10))), clock)
    kid = key_for("EdDSA").kid
    assert await ring.find(kid)
    clock.forward(seconds=10)
    assert await ring.find(kid) is None
    assert await ring.published() == []


async def test_the_one_key_without_an_end_signs_whatever_the_clocks_say() -> None:
    later = START + timedelta(hours=1)
    old = row("ES256", signs_from=later, expires_at=later + timedelta(hours=1))
    ring = made(FakeLocksmith(old, row()))
    assert (await ring.signing()).algorithm == "EdDSA"


async def test_while_the_signing_key_cannot_be_opened_the_last_one_that_can_signs() -> None:
    sealed_for_others = row("ES256")
    other = Safe(Secrets(b"another secret of thirty-two bytes or so"))
    key = key_for("ES256")
    sealed_for_others.sealed = other.seal(key.kid, "ES256", key.private())
    old = row(expires_at=START + timedelta(hours=1))
    ring = made(FakeLocksmith(old, sealed_for_others))
    assert (await ring.signing()).algorithm == "EdDSA"
    assert await ring.find(key.kid), "its public part is enough to check tokens"


async def test_the_secret_itself_is_a_key_and_never_published() -> None:
    ring = made(FakeLocksmith(anchor()))
    assert (await ring.signing()).kid == secrets_own(SECRET).kid
    assert await ring.published() == []


async def test_the_secret_of_others_is_no_key_of_ours() -> None:
    other = anchor(b"another secret of thirty-two bytes or so")
    assert await made(FakeLocksmith(anchor(), other)).find(other.kid) is None


async def test_what_is_published_are_the_public_parts_of_what_is_good_in_order() -> None:
    rows = [row(), row("RS256", signs_from=None), row("ES256", expires_at=START)]
    found = await made(FakeLocksmith(*rows)).published()
    assert [jwk["kid"] for jwk in found] == sorted(rows[n].kid for n in (0, 1))
    assert all(not {"d", "k", "p", "q"} & jwk.keys() for jwk in found)


async def test_subscribers_hear_of_a_key_that_is_good_no_longer_and_of_nothing_else() -> None:
    locksmith, clock = FakeLocksmith(row()), MovingClock()
    ring, heard = made(locksmith, clock), []
    ring.subscribe(lambda: heard.append(1))
    await ring.refresh()
    locksmith.rows.append(row("ES256", signs_from=None))
    await ring.refresh()
    assert heard == []
    locksmith.rows[0] = row(expires_at=START)  # retired: its end is its beginning
    await ring.refresh()
    assert heard == [1]
    del locksmith.rows[1]
    await ring.refresh()
    assert heard == [1, 1]


async def test_a_ring_that_was_emptied_is_made_anew() -> None:
    locksmith = FakeLocksmith()
    ring = made(locksmith)
    await ring.tend()
    assert locksmith.prepared == 1


def test_the_life_of_a_key() -> None:
    soon, late = START + timedelta(hours=1), START + timedelta(hours=2)
    lives: dict[State, dict[str, Any]] = {
        State.NEXT: {"signs_from": None},
        State.SIGNING: {},
        State.VERIFYING: {"expires_at": late},
        State.EXPIRED: {"expires_at": soon},
        State.RETIRED: {"expires_at": START},
    }
    for state, facts in lives.items():
        (held,) = Opener(Secrets(SECRET), SAFE).hold([row(**facts)])
        assert held.state(soon) is state
