"""How many bytes callers may have us hold at once."""

from service.core.errors import Unavailable


class Purse:
    """Bytes that may be held at once, out of a ``wider`` purse if there is one."""

    def __init__(self, size: int, wider: "Purse | None" = None) -> None:
        self._size, self._wider = size, wider
        self.held = 0

    def take(self, size: int) -> None:
        """Raises: Unavailable, when there is not so much left."""
        if self.held + size > self._size:
            raise Unavailable
        if self._wider:
            self._wider.take(size)
        self.held += size

    def give_back(self, size: int) -> None:
        self.held -= size
        if self._wider:
            self._wider.give_back(size)
