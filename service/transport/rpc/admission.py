"""How many calls may run at once in a worker."""

from collections.abc import Iterator
from contextlib import contextmanager

from grpclib.const import Handler

from service.core.errors import Unavailable

_OURS = "/grpc."
"""Health and reflection: anybody may call them."""
_OPEN_STREAMS = 250
"""Streams of those at once. They have places of their own: whoever fills these shuts nobody out."""


class Admission:
    """Places for ``most`` calls. Health's ``Check``, which probes ask, needs none."""

    def __init__(self, most: int) -> None:
        self._most, self._taken = {False: most, True: _OPEN_STREAMS}, {False: 0, True: 0}

    @contextmanager
    def place(self, method: str, handler: Handler) -> Iterator[None]:
        """A place, for as long as the block runs.

        Raises:
            Unavailable: there is none left.
        """
        ours = method.startswith(_OURS)
        if ours and not any(handler.cardinality):
            yield
            return
        if self._taken[ours] >= self._most[ours]:
            raise Unavailable
        self._taken[ours] += 1
        try:
            yield
        finally:
            self._taken[ours] -= 1
