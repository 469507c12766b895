"""A watch that outlives the streams it is made of."""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

from grpclib.const import Status

from arcana_protos.common import Refusal
from arcana_protos.errors import ArcanaError, Conflict, Limited, Unauthenticated, Unavailable
from arcana_protos.user import UserEvent, WatchUsersRequest

Opened = Callable[[WatchUsersRequest], AsyncIterator[UserEvent]]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
"""Seconds before another try, doubled each time that nothing came."""
_HEARTBEAT = 15
"""Seconds, where the request names none."""
_LATE = 10.0
"""Seconds after which a heartbeat that is missing means that the connection is gone."""

_dice = random.SystemRandom()


async def watched(open_: Opened, request: WatchUsersRequest) -> AsyncGenerator[UserEvent, None]:
    """Every message from ``request`` on, opened again behind the last one whenever it is cut off.

    Raises:
        ArcanaError: opening it again would not help.
    """
    pause = _FIRST_PAUSE
    while True:
        begun = False
        try:
            async with aclosing(once(open_, request)) as events:
                async for event in events:
                    begun, pause = True, _FIRST_PAUSE
                    request.resume_token = event.resume_token
                    yield event
        except ArcanaError as error:
            if not _can_go_on(error, request, begun=begun):
                raise
        await asyncio.sleep(pause * _dice.uniform(0.5, 1.0))
        pause = min(2 * pause, _LONGEST_PAUSE)


async def once(open_: Opened, request: WatchUsersRequest) -> AsyncGenerator[UserEvent, None]:
    """The messages of one stream.

    Raises:
        ArcanaError: it ended, or nothing came for longer than a heartbeat takes.
    """
    patience = (request.heartbeat_seconds or _HEARTBEAT) + _LATE
    events = open_(request)
    try:
        while True:
            limit = asyncio.timeout(patience)
            try:
                async with limit:
                    event = await anext(events)
            except StopAsyncIteration:
                return
            except TimeoutError:
                if not limit.expired():
                    raise
                refusal = Refusal(code="unavailable", message="Nothing came, not even heartbeats.")
                raise Unavailable(Status.UNAVAILABLE, refusal) from None
            yield event
    finally:
        if isinstance(events, AsyncGenerator):
            await events.aclose()


def _can_go_on(error: ArcanaError, request: WatchUsersRequest, *, begun: bool) -> bool:
    """Whether another stream may do better; ``request`` is changed if it must be."""
    if isinstance(error, Conflict) and error.code == "resume_expired" and request.snapshot:
        request.resume_token = ""  # another snapshot tells everything anew
        return True
    if isinstance(error, Unauthenticated):
        return begun  # the token expired: it is renewed as the next stream is opened
    return isinstance(error, Unavailable) or (
        isinstance(error, Limited) and error.code == "watch_too_slow"
    )
