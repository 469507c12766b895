"""Some hundred conversations that no client has, the same each run; ``make fuzz-rpc`` has more."""

import asyncio
import logging
from typing import Any

import pytest
from arcana_protos.common import FieldError as Note

from tests.support.peer import until
from tests.support.probe import serving
from tests.support.rpc_fuzz import Outcome, converse

CONVERSATIONS = 600
AT_ONCE = 8


async def test_whatever_is_sent_the_door_answers_by_the_rules_and_others_are_served(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    unhandled: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
    outcome = Outcome()
    async with serving() as served:
        for first in range(0, CONVERSATIONS, AT_ONCE):
            seeds = range(first, first + AT_ONCE)
            await asyncio.gather(*(converse(served.server.port, s, outcome) for s in seeds))
            assert (await served.one()(Note(text="fine"), timeout=10)).text == "fine"
        await until(lambda: served.server._guard.running == 0)
        server = served.server._server
        assert server is not None
        await until(lambda: len(server.connections) == 1)
        assert server._purse.held == 0
    asyncio.get_running_loop().set_exception_handler(None)
    assert unhandled == []
    assert [r for r in caplog.records if r.exc_info or r.levelno >= logging.ERROR] == []
    assert min(outcome.answered, outcome.refused, outcome.closed) > CONVERSATIONS / 20, outcome
