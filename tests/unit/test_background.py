"""A process without a door ends when its relay is no more, and who is told is one of many."""

import asyncio
from collections.abc import Coroutine
from typing import Any, cast

import pytest

from service import background
from service.app.sinks import AllSinks
from service.background import RelayEndedError
from service.core.events import Sink
from service.linked import Leave, Told
from tests.support.sinks import FixedSinks, NotingSink


class OneRelay:
    """A relay as the process sees it."""

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self._task = asyncio.ensure_future(work)
        self.silent_for = 0.0
        self.relay = self

    async def ended(self) -> None:
        await asyncio.shield(self._task)


async def broken() -> None:
    raise ZeroDivisionError


def told() -> Told:
    return asyncio.get_running_loop().create_future()


async def until_told(when: Told, relay: OneRelay) -> Leave:
    return await background._until_told(when, cast("Any", relay))


async def test_a_relay_that_ends_by_itself_ends_the_process() -> None:
    with pytest.raises(RelayEndedError, match="it ended") as caught:
        await until_told(told(), OneRelay(broken()))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(RelayEndedError):
        await until_told(told(), OneRelay(asyncio.sleep(0)))


async def test_a_relay_that_stands_still_ends_the_process() -> None:
    relay = OneRelay(asyncio.sleep(60))
    relay.silent_for = background.SILENT + 1
    with pytest.raises(RelayEndedError, match="stands still"):
        await until_told(told(), relay)
    relay._task.cancel()


async def test_who_is_told_to_leave_leaves() -> None:
    when, relay = told(), OneRelay(asyncio.sleep(60))
    asyncio.get_running_loop().call_later(0.05, when.set_result, Leave.ORPHANED)
    assert await until_told(when, relay) is Leave.ORPHANED
    assert not relay._task.done()
    relay._task.cancel()


async def test_all_sinks_are_those_by_name_and_those_that_come_and_go() -> None:
    stream, first, second = (cast("Sink", NotingSink(name)) for name in ("redis", "a", "b"))
    coming = FixedSinks([first])
    sinks = AllSinks(fixed=(stream, None), changing=(coming, FixedSinks([])))
    assert await sinks.all() == [stream, first]
    coming.sinks.append(second)
    assert await sinks.all() == [stream, first, second]


async def test_a_part_of_the_sinks_does_not_pass_for_all() -> None:
    class Away:
        async def all(self) -> list[Sink]:
            raise ConnectionError

    with pytest.raises(ConnectionError):
        await AllSinks(fixed=(cast("Sink", NotingSink()),), changing=(Away(),)).all()
