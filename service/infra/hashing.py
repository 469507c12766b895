"""Password hashing with Argon2id, in threads of its own."""

import asyncio
import logging
import secrets
import threading
import time
import unicodedata
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from service.core.errors import Unavailable
from service.core.foreign_hashes import read_foreign
from service.core.metrics import HASHING_WAIT, HASHINGS
from service.infra.foreign_hashes import matches

OWN = "$argon2id$"
"""How our own hashes start. Those of other systems are stored in forms that start otherwise."""

T = TypeVar("T")

log = logging.getLogger(__name__)


class Argon2Hasher:
    """A ``PasswordHasher`` that never runs on the event loop and never queues without end.

    The defaults are those of the OWASP Password Storage Cheat Sheet for Argon2id: ``memory`` 19 MiB
    (given in KiB), 2 ``passes``, 1 lane. At most ``threads`` passwords are worked on, each with
    ``memory`` of its own, and ``queue`` wait.
    """

    def __init__(
        self,
        *,
        memory: int = 19 * 1024,
        passes: int = 2,
        lanes: int = 1,
        threads: int = 2,
        queue: int = 64,
    ) -> None:
        self._argon2 = PasswordHasher(
            time_cost=passes, memory_cost=memory, parallelism=lanes, type=Type.ID
        )
        self._nobodys = self._argon2.hash(secrets.token_bytes(16))
        self._lane = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._room = threading.BoundedSemaphore(threads + queue)
        self._taken: set[Future[Any]] = set()

    @property
    def load(self) -> int:
        """How many passwords are worked on or wait."""
        return len(self._taken)

    async def hash(self, password: str) -> str:
        """The encoded Argon2id hash of ``password``, with a new salt.

        Raises:
            Unavailable: too many passwords wait already, or the hasher is closed.
        """
        return await self._run(lambda: self._argon2.hash(_prepared(password)))

    async def verify(self, encoded: str | None, password: str) -> bool:
        """Whether ``password`` matches; with no or a damaged ``encoded`` as much work, and False.

        A hash of another system costs what its own parameters ask for.

        Raises:
            Unavailable: too many passwords wait already, or the hasher is closed.
        """
        return await self._run(lambda: self._verify(encoded, password))

    def is_outdated(self, encoded: str) -> bool:
        """Whether ``encoded`` was made by another system, or with other parameters than today's."""
        if not encoded.startswith(OWN):
            return True
        try:
            return self._argon2.check_needs_rehash(encoded)
        except InvalidHashError:
            return True

    def close(self) -> None:
        """Take no more passwords; those taken are still finished."""
        self._lane.shutdown(wait=False)

    async def _run(self, work: Callable[[], T]) -> T:
        if not self._room.acquire(blocking=False):
            HASHINGS.add("refused")
            raise Unavailable
        try:
            future = self._lane.submit(_timed, work, time.perf_counter())
        except RuntimeError:  # closed
            self._room.release()
            raise Unavailable from None
        HASHINGS.add("taken")
        self._taken.add(future)
        future.add_done_callback(self._leave)
        return await asyncio.wrap_future(future)

    def _leave(self, done: Future[T]) -> None:
        """Make room once the work has ended, which may be long after its caller has gone."""
        self._taken.discard(done)
        self._room.release()

    def _verify(self, encoded: str | None, password: str) -> bool:
        if encoded is None:
            return self._matches_nobody(password)
        try:
            return self._matches(encoded, password)
        except (VerificationError, ValueError) as error:
            log.error("A stored password hash is damaged (%s).", type(error).__name__)
            return self._matches_nobody(password)

    def _matches(self, encoded: str, password: str) -> bool:
        """Raises: VerificationError, ValueError."""
        if not encoded.startswith(OWN):
            return matches(read_foreign(encoded), password)
        try:
            return self._argon2.verify(encoded, _prepared(password))
        except VerifyMismatchError:
            return False

    def _matches_nobody(self, password: str) -> bool:
        with suppress(VerifyMismatchError):
            self._argon2.verify(self._nobodys, _prepared(password))
        return False


def _timed(work: Callable[[], T], since: float) -> T:
    HASHING_WAIT.observe(time.perf_counter() - since)
    return work()


def _prepared(password: str) -> bytes:
    """The one form that is hashed: NFC (RFC 8265 §4.2.2), so every keyboard gives the same."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
