"""Password hashing: what matches, what it costs, and that it stops nothing else."""

import asyncio
import logging
import threading
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerifyMismatchError

from service.core import ports
from service.core.errors import Unavailable
from service.infra.hashing import Argon2Hasher

CHEAP = {"memory": 8, "passes": 1, "lanes": 1}
DAMAGED = ["", "x", "$argon2id$", "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$", "$2b$12$abc", "ünï", "a\0"]


@pytest.fixture
def hasher() -> Iterator[Argon2Hasher]:
    hasher = Argon2Hasher(**CHEAP)
    yield hasher
    hasher.close()


class Gate:
    """Stands where Argon2 is and lets one work end at a time; counts what was compared."""

    def __init__(self, hasher: Argon2Hasher) -> None:
        self._real: PasswordHasher = hasher._argon2
        self._open = threading.Semaphore(0)
        self.compared: list[str] = []
        hasher._argon2 = self  # type: ignore[assignment]

    def let(self, count: int = 1) -> None:
        self._open.release(count)

    def hash(self, password: bytes) -> str:
        assert self._open.acquire(timeout=10)
        return self._real.hash(password)

    def verify(self, encoded: str, password: bytes) -> bool:
        self.compared.append(encoded)
        return self._real.verify(encoded, password)


async def test_a_password_matches_its_hash_and_no_other(hasher: Argon2Hasher) -> None:
    encoded = await hasher.hash("correct horse")
    assert await hasher.verify(encoded, "correct horse") is True
    assert await hasher.verify(encoded, "Correct horse") is False
    assert await hasher.verify(encoded, "") is False


async def test_two_hashes_of_one_password_differ(hasher: Argon2Hasher) -> None:
    assert await hasher.hash("x") != await hasher.hash("x")


async def test_it_is_what_services_ask_for(hasher: Argon2Hasher) -> None:
    asked: ports.PasswordHasher = hasher
    assert (await asked.hash("x")).startswith("$argon2id$v=19$m=8,t=1,p=1$")


async def test_however_a_letter_is_typed_the_password_is_the_same(hasher: Argon2Hasher) -> None:
    composed, apart = "caf\u00e9", "cafe\u0301"
    assert composed != apart
    assert await hasher.verify(await hasher.hash(composed), apart) is True
    assert await hasher.verify(await hasher.hash(apart), composed) is True
    assert await hasher.verify(await hasher.hash("\ufb01"), "fi") is False  # NFC, not NFKC


@pytest.mark.parametrize("password", ["", "\0", "a\0b", "\ud800", "🔑" * 1000])
async def test_every_text_can_be_a_password(hasher: Argon2Hasher, password: str) -> None:
    encoded = await hasher.hash(password)
    assert await hasher.verify(encoded, password) is True
    assert await hasher.verify(encoded, password + "x") is False


async def test_nobodys_password_costs_one_comparison_and_never_matches(
    hasher: Argon2Hasher,
) -> None:
    gate = Gate(hasher)
    assert await hasher.verify(None, "x") is False
    (nobodys,) = gate.compared
    real = PasswordHasher(memory_cost=8, time_cost=1, parallelism=1)
    assert extract_parameters(nobodys) == extract_parameters(real.hash("x"))


@pytest.mark.parametrize("encoded", DAMAGED)
async def test_a_damaged_hash_matches_nothing_and_costs_a_comparison(
    hasher: Argon2Hasher, encoded: str, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate(hasher)
    with caplog.at_level(logging.ERROR):
        assert await hasher.verify(encoded, "canary-password") is False
    assert gate.compared[-1] == hasher._nobodys
    (record,) = caplog.records
    assert record.getMessage().startswith("A stored password hash is damaged (")
    assert "canary" not in caplog.text


@pytest.mark.parametrize("encoded", DAMAGED)
def test_a_damaged_hash_is_outdated(hasher: Argon2Hasher, encoded: str) -> None:
    assert hasher.is_outdated(encoded) is True


async def test_a_hash_of_other_parameters_matches_and_is_outdated(hasher: Argon2Hasher) -> None:
    stronger = Argon2Hasher(memory=16, passes=1)
    encoded = await hasher.hash("x")
    assert hasher.is_outdated(encoded) is False
    assert stronger.is_outdated(encoded) is True
    assert await stronger.verify(encoded, "x") is True
    stronger.close()


async def test_more_than_may_wait_are_refused_at_once() -> None:
    hasher = Argon2Hasher(**CHEAP, threads=1, queue=2)
    gate = Gate(hasher)
    taken = [asyncio.create_task(hasher.hash("x")) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await hasher.hash("x")
    with pytest.raises(Unavailable):
        await hasher.verify(None, "x")
    gate.let(4)
    assert len(await asyncio.gather(*taken)) == 3
    assert await hasher.hash("x")
    hasher.close()


async def test_callers_who_leave_make_room_but_not_more_than_there_is() -> None:
    hasher = Argon2Hasher(**CHEAP, threads=1, queue=1)
    gate = Gate(hasher)
    working, waiting = (asyncio.create_task(hasher.hash("x")) for _ in range(2))
    await asyncio.sleep(0.05)
    waiting.cancel()
    working.cancel()
    await asyncio.gather(working, waiting, return_exceptions=True)
    next_one = asyncio.create_task(hasher.hash("x"))
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):  # the cancelled one is still being worked on
        await hasher.hash("x")
    gate.let(2)
    assert await next_one
    hasher.close()


async def test_a_closed_hasher_refuses_and_finishes_what_it_took(hasher: Argon2Hasher) -> None:
    gate = Gate(hasher)
    taken = asyncio.create_task(hasher.hash("x"))
    await asyncio.sleep(0)
    hasher.close()
    for _ in range(100):
        with pytest.raises(Unavailable):
            await hasher.hash("x")
    gate.let()
    assert await taken


async def test_x76_the_loop_turns_while_passwords_are_hashed() -> None:
    """SEED X76: hashing on the loop stops the whole worker. With the real parameters (OWASP)."""
    hasher = Argon2Hasher()
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.001)
            turns += 1

    turning = asyncio.create_task(turn())
    encoded = await hasher.hash("correct horse")
    turns = 0
    assert all(await asyncio.gather(*(hasher.verify(encoded, "correct horse") for _ in range(8))))
    turning.cancel()
    hasher.close()
    assert encoded.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert turns > 8  # on the loop it would be one turn at most


async def test_the_real_parameters_reject_too() -> None:
    hasher = Argon2Hasher()
    with pytest.raises(VerifyMismatchError):
        hasher._argon2.verify(hasher._nobodys, "x")
    assert await hasher.verify(None, "x") is False
    hasher.close()
