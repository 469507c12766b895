"""The key ring in a worker's memory: no request waits for a key that is known."""

import asyncio
import logging
import random
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from service.core.clock import Clock, utc_now
from service.core.errors import Unavailable
from service.keys.algorithms import Key
from service.keys.held import HeldKey, signing_of
from service.keys.locksmith import Locksmith

log = logging.getLogger("arcana.keys")

INTERVAL = 1.5
"""Seconds between two readings, give or take a third; a rotation counts everywhere within 5."""
GAP = 0.5
"""Seconds at least between two readings that unknown keys cause, whoever sends them."""
ABSENT_MAX, ABSENT_FOR = 1000, 30.0
"""How many names are remembered as nobody's, and for how many seconds."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_dice = random.SystemRandom()


class KeyRing:
    """Every key that signs or signed, as of the last reading of the table.

    Invariant: a token is never refused for its key's name unless a reading that began after it
    came found no such key. While the database is away what is known goes on serving, and a name
    that is not known is nobody's fault: ``Unavailable``.
    """

    def __init__(self, locksmith: Locksmith, clock: Clock = utc_now) -> None:
        self._locksmith, self._clock = locksmith, clock
        self._keys: dict[str, HeldKey] = {}
        self._signers: list[HeldKey] = []
        self._absent: OrderedDict[str, float] = OrderedDict()
        self._on_loss: list[Callable[[], None]] = []
        self._turn = asyncio.Lock()
        self._tried_at = self._read_at = self._failed_at = float("-inf")
        self._task: asyncio.Task[None] | None = None

    @property
    def lag(self) -> float:
        """Seconds since the beginning of the last reading that came through."""
        return time.monotonic() - self._read_at

    def subscribe(self, on_loss: Callable[[], None]) -> None:
        """Have ``on_loss`` called when what a key signed was good and is so no longer."""
        self._on_loss.append(on_loss)

    async def signing(self) -> Key:
        """The key to sign with.

        Raises:
            Unavailable: none is known, and the database cannot be asked.
        """
        if (key := self._signer()) is None:
            await self._locksmith.prepare()
            await self.refresh()
            key = self._signer()
        if key is None:
            raise Unavailable
        return key

    async def find(self, kid: str) -> Key | None:
        """The key of that name, if what it signed is good.

        Raises:
            Unavailable: it is not known, and the database cannot be asked.
        """
        held = self._keys.get(kid)
        if held is None and not self._is_nobodys(kid):
            await self.refresh(paced=True)
            held = self._keys.get(kid)
            if held is None:
                self._remember_absent(kid)
        return held.key if held and held.is_good(self._clock()) else None

    async def published(self) -> list[dict[str, Any]]:
        """The public keys that verifiers need, as JWKs in the order of their names.

        Raises:
            Unavailable: the ring was never read, and the database cannot be asked.
        """
        if not self._keys:
            await self.refresh()
        now, keys = self._clock(), sorted(self._keys.items())
        return [key.jwk for _, key in keys if key.jwk and key.is_good(now)]

    async def start(self) -> None:
        """Make what is missing, read the ring, and go on reading it until ``stop``.

        Raises:
            Unavailable: the database cannot be reached.
        """
        await self._locksmith.prepare()
        await self.refresh()
        self._task = asyncio.create_task(self._keep_reading())

    async def stop(self) -> None:
        """Harmless when it was not started."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def refresh(self, *, paced: bool = False) -> None:
        """Know every key that was there before this call; ``paced`` at most twice a second.

        All who ask at the same time share one reading, that begins after the last of them asked
        or is followed by another one.

        Raises:
            Unavailable: the database cannot be asked.
        """
        asked = time.monotonic()
        async with self._turn:
            if self._read_at >= asked:
                return
            if self._failed_at >= asked:
                raise Unavailable
            if paced:
                await asyncio.sleep(self._tried_at + GAP - time.monotonic())
            self._tried_at = began = time.monotonic()
            try:
                keys = await self._locksmith.keys()
            except Exception:
                self._failed_at = began
                raise
            self._take(keys)
            self._read_at = began

    async def tend(self) -> None:
        """Read the ring and mend it: a key may want a seal of ours, and a table can be emptied.

        Raises:
            Unavailable: the database cannot be asked.
        """
        await self.refresh()
        keys = list(self._keys.values())
        if signing_of(keys) is None:
            await self._locksmith.prepare()
        elif self._locksmith.needs_mending(keys):
            await self._locksmith.mend(keys)
        else:
            return
        await self.refresh()

    def _take(self, keys: list[HeldKey]) -> None:
        now, before = self._clock(), self._keys
        self._keys = {key.kid: key for key in keys}
        if self._keys.keys() != before.keys():
            self._absent.clear()
        signed = [key for key in keys if key.can_sign and key.row.signs_from and not key.signs]
        signed.sort(key=lambda key: str(key.row.signs_from), reverse=True)
        self._signers = [key for key in keys if key.signs and key.can_sign] + signed
        lost = (kid for kid, key in before.items() if key.is_good(now) and not self._has(kid))
        if any(lost):
            for tell in self._on_loss:
                tell()

    def _has(self, kid: str) -> bool:
        held = self._keys.get(kid)
        return held is not None and held.is_good(self._clock())

    def _signer(self) -> Key | None:
        """The key that signs; while we can't open that, the last one we can, until its end."""
        now = self._clock()
        return next((held.key for held in self._signers if held.is_good(now)), None)

    def _is_nobodys(self, kid: str) -> bool:
        until = self._absent.get(kid, float("-inf"))
        return time.monotonic() < until or not _NAME.fullmatch(kid)

    def _remember_absent(self, kid: str) -> None:
        self._absent[kid] = time.monotonic() + ABSENT_FOR
        if len(self._absent) > ABSENT_MAX:
            self._absent.popitem(last=False)

    async def _keep_reading(self) -> None:
        blind = False
        while True:
            await asyncio.sleep(INTERVAL * _dice.uniform(2 / 3, 4 / 3))
            try:
                await self.tend()
            except Exception as error:  # noqa: BLE001  # nothing may end this task
                if not blind:
                    log.warning("the key ring can't be read (%s)", type(error).__name__)
                blind = True
            else:
                if blind:
                    log.warning("the key ring is read again")
                blind = False
