"""Work that a cancellation must not cut in half."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Await ``work`` to its end; a cancellation that comes meanwhile is raised after it.

    For the few steps whose half is worse than their whole: a commit, giving a connection back.
    ``work`` must have a bound of its own on the time it takes.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # the cancellation speaks; nobody else will ask for this one
        raise cancelled
    return task.result()
