"""A worker and its parent: who is left alone leaves in good order.

Each test has a loop of its own, for a link beats as long as its loop lives.
"""

import asyncio
import faulthandler
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.linked import Leave, Told, stay_linked
from service.supervisor import ALIVE, READY


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[int]:
    with (tmp_path / "stack").open("wb") as file:
        yield file.fileno()
        faulthandler.cancel_dump_traceback_later()


def test_a_parent_that_is_gone_before_its_worker_is_ready_is_heard_of(stack: int) -> None:
    async def work() -> Leave:
        told: Told = asyncio.get_running_loop().create_future()
        stay_linked(ours, told, stack)
        return await asyncio.wait_for(told, 5)

    ours, theirs = socket.socketpair()
    theirs.close()
    with ours:
        assert asyncio.run(work()) is Leave.ORPHANED


def test_the_parent_hears_of_readiness_and_of_life_and_may_send_away(stack: int) -> None:
    async def work() -> Leave:
        told: Told = asyncio.get_running_loop().create_future()
        stay_linked(ours, told, stack)
        assert theirs.recv(len(READY + ALIVE)) == READY + ALIVE
        theirs.send(b"-")
        return await asyncio.wait_for(told, 5)

    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert asyncio.run(work()) is Leave.RETIRED
