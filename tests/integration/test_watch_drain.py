"""A stream that never ends by itself holds up nobody who stops."""

import asyncio
import time
from contextlib import aclosing
from datetime import timedelta

import pytest
from arcana_protos import auth, errors
from arcana_protos.client import ArcanaClient

from tests.support.databases import fresh_database
from tests.support.live import live_service


async def test_a_worker_that_stops_sends_its_watchers_away_at_once() -> None:
    with fresh_database("sqlite") as url:
        async with live_service(url) as live:
            machine = await live.people.signed_in("Machine", "service")
            tokens = auth.TokenResponse(access_token=machine.access)
            async with (
                ArcanaClient("127.0.0.1", live.rpc_port, tokens=tokens) as arcana,
                aclosing(arcana.watch_users(resumes=False)) as watch,
            ):
                assert (await anext(watch)).kind == "heartbeat"
                next_one = asyncio.ensure_future(anext(watch))
                await asyncio.sleep(0.1)
                began, pause = time.monotonic(), timedelta(seconds=0.1)
                cut = await live.app.ctx.rpc.stop(timedelta(seconds=8), linger=pause)
                with pytest.raises(errors.Unavailable) as how:
                    await next_one
                assert (how.value.code, cut) == ("unavailable", 0)
                assert time.monotonic() - began < 5
