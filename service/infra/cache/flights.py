"""One making of a value at a time in this process, shared by all who ask for it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Flights(Generic[T]):
    """Who makes which value just now; at most one leader per name.

    The leader works in its own task, never in a detached one: what it does may hang on its
    transaction. If it is cancelled, one of those who wait leads next.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._aloft: dict[bytes, asyncio.Future[T | None]] = {}

    async def join(self, name: bytes, make: Callable[[], Awaitable[T]]) -> T | None:
        """What ``make`` gives, whoever runs it; None after ``patience`` seconds of waiting.

        Raises:
            Whatever ``make`` raised, to all who waited for it.
        """
        while (flight := self._aloft.get(name)) is not None:
            await asyncio.wait([flight], timeout=self._patience)
            if not flight.done():
                return None
            if (landed := flight.result()) is not None:
                return landed
        return await self._lead(name, make)

    def forget(self, name: bytes) -> None:
        """Let whoever asks from now on begin anew: what is being made may be out of date."""
        self._aloft.pop(name, None)

    def forget_prefix(self, prefix: bytes) -> None:
        """``forget`` every name that begins with ``prefix``."""
        for name in [name for name in self._aloft if name.startswith(prefix)]:
            self.forget(name)

    async def _lead(self, name: bytes, make: Callable[[], Awaitable[T]]) -> T:
        flight = self._aloft[name] = asyncio.get_running_loop().create_future()
        try:
            data = await make()
            flight.set_result(data)
            return data
        except Exception as error:  # passed on to every waiter, and raised here
            flight.set_exception(error)
            flight.exception()  # without waiters nobody else would fetch it
            raise
        finally:
            if not flight.done():
                flight.set_result(None)  # cancelled: the others try for themselves
            if self._aloft.get(name) is flight:
                del self._aloft[name]
