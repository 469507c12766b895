"""Creations that may be asked for twice and happen once (Idempotency-Key)."""

import hashlib
import hmac
import json
import logging
import re
from dataclasses import dataclass, replace
from datetime import timedelta
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from pydantic import BaseModel

from service.core.access import Actor
from service.core.errors import IdempotencyMismatch, Invalid, Kind, Refusal, Unavailable
from service.core.parsing import Command

log = logging.getLogger("arcana.idempotency")

V = TypeVar("V", bound=BaseModel)

KEPT_FOR = timedelta(hours=24)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Kept:
    """The first answer to a key, and what was asked for: nobody can read either hash."""

    key_hash: str
    operation: str
    command_hash: str
    answer: str


class KeyTaken(Exception):
    """Somebody else kept an answer under the key since it was looked up."""


class Answers(Protocol):
    """Where first answers are kept for ``KEPT_FOR``."""

    async def find(self, key_hash: str) -> Kept | None:
        """The answer kept under a key, unless its time is over."""

    async def keep(self, kept: Kept) -> None:
        """Keep an answer, in the transaction under way: both are committed or neither.

        While another transaction keeps one under the same key, this waits for its end.

        Raises:
            KeyTaken: there is one already.
        """

    async def purge(self) -> int:
        """Delete a few answers whose time is over, and say how many."""


class Idempotency:
    """Gives the first answer again to whoever repeats a creation under the same key.

    A key belongs to the account that sends it. Of those who are not signed in nobody can say who
    is the same, so among them a key alone counts; whoever repeats another's registration must
    know its password, for the commands are compared. Only successes are kept, under the hash that
    each secret gives: so processes that share one of theirs meet at the index.
    """

    def __init__(self, answers: Answers, secret: bytes, *previous: bytes) -> None:
        self._answers, self._secrets = answers, (secret, *previous)

    def once(self, actor: Actor, key: str | None, command: Command, view: type[V]) -> "Once[V]":
        """A creation that happens once for each key; without a key each time.

            async with self._idempotency.once(actor, key, command, UserView) as once:
                if once.is_first:
                    async with self._begin():
                        await once.keep(UserView.of(await self._users.add(...)))
            return once.answer

        Raises:
            Invalid: the key is not 1 to 255 visible ASCII characters.
            IdempotencyMismatch: another command came under it (from entering or leaving).
        """
        if key is None:
            return Once(self._answers, (), view)
        if not _KEY.fullmatch(key):
            raise Invalid({"idempotency-key": ["Must have 1 to 255 visible ASCII characters."]})
        operation = type(command).__name__
        asked = tuple(
            Kept(
                key_hash=_hash(secret, "key", str(actor.user_id or ""), key),
                operation=operation,
                command_hash=_hash(secret, "command", operation, _canonical(command)),
                answer="",
            )
            for secret in self._secrets
        )
        return Once(self._answers, asked, view)


def refuse_key(key: str | None) -> None:
    """For creations whose answer holds a secret: none is kept, and nobody is to rely on it.

    Raises:
        Invalid: there is a key.
    """
    if key is not None:
        text = "Not taken here: the answer holds a secret, and is kept for nobody."
        raise Invalid({"idempotency-key": [text]})


class Once(Generic[V]):
    """One creation under way. ``asked`` is what is kept with its answer; nothing without a key.

    The key is written last, beside what was created. A twin that runs at the same time therefore
    waits at the index that both want to write, is told that it came second, and on leaving the
    block finds the first's answer.
    """

    def __init__(self, answers: Answers, asked: tuple[Kept, ...], view: type[V]) -> None:
        self._answers, self._asked, self._view = answers, asked, view
        self._answer: V | None = None
        self._has_kept = False

    @property
    def is_first(self) -> bool:
        """Whether there is no answer yet."""
        return self._answer is None

    @property
    def answer(self) -> V:
        assert self._answer is not None, "neither kept nor found"
        return self._answer

    async def keep(self, view: V) -> None:
        """Answer with ``view``, and keep it under the key; call it inside the transaction.

        Raises:
            KeyTaken: a twin was faster; the block's end turns that into the twin's answer.
        """
        for asked in sorted(self._asked, key=lambda each: each.key_hash):  # no two cross over
            await self._answers.keep(replace(asked, answer=_written(view)))
            self._has_kept = True
        self._answer = view

    async def __aenter__(self) -> Self:
        await self._look_up()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if error is None and self._has_kept:
            await self._tidy()
        if not (isinstance(error, KeyTaken) or _may_be_a_twin(error)):
            return False
        await self._look_up()
        if self.is_first and isinstance(error, KeyTaken):
            raise Unavailable  # its time ran out between the two looks
        return not self.is_first

    async def _tidy(self) -> None:
        """Each answer kept takes a few old ones away, so nobody else has to look after them."""
        try:
            await self._answers.purge()
        except Exception as error:  # noqa: BLE001  # the creation is committed, whatever it was
            log.warning("old answers were not deleted: %s", type(error).__name__)

    async def _look_up(self) -> None:
        """Raises: IdempotencyMismatch."""
        self._answer = None
        for asked in self._asked:
            found = await self._answers.find(asked.key_hash)
            if found is None:
                continue
            same = (found.operation, found.command_hash)
            if same != (asked.operation, asked.command_hash):
                raise IdempotencyMismatch
            self._answer = self._view.model_validate_json(found.answer)
            return


def _hash(secret: bytes, *parts: str) -> str:
    text = json.dumps(parts).encode()  # JSON keeps the parts apart
    return hmac.digest(secret, text, hashlib.sha256).hex()


def _may_be_a_twin(error: BaseException | None) -> bool:
    """Whether what this call wanted to create was there already, perhaps from its own twin."""
    return isinstance(error, Refusal) and error.kind is Kind.CONFLICT


def _canonical(command: Command) -> str:
    """The same text for the same command, however its fields were written and at which door."""
    given = command.model_dump(mode="json")
    return json.dumps({k: v for k, v in given.items() if v not in (None, "")}, sort_keys=True)


def _written(view: BaseModel) -> str:
    """A view as JSON with its version, which its own JSON leaves out."""
    hidden = {name: getattr(view, name) for name, f in type(view).model_fields.items() if f.exclude}
    return json.dumps({**view.model_dump(mode="json"), **hidden})
