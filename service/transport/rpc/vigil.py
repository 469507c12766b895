"""Streams end with the credential they were opened with."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.transport.rpc.call import Call

EVERY = 0.25
"""Seconds between two looks at the caller of a running stream; a look costs no query."""


@asynccontextmanager
async def vigil(call: Call) -> AsyncIterator[None]:
    """Break the block off as soon as the caller would no longer be let in.

    Raises:
        InvalidToken: the token expired or was revoked meanwhile.
        Forbidden: the owner of an API key lost a role.
        Unavailable: nobody can tell.
    """
    serving = asyncio.current_task()
    assert serving is not None
    ended_by: list[Exception] = []

    async def watch() -> None:
        while True:
            await asyncio.sleep(EVERY)
            try:
                await call.recheck()
            except Exception as error:  # noqa: BLE001  # nobody goes unwatched, whatever it was
                ended_by.append(error)
                serving.cancel()
                return

    watching = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        if ended_by and not serving.uncancel():
            raise ended_by[0] from None
        raise
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
