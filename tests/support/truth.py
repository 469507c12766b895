"""What readers may see while writers write: the promise of the cache, held against each answer."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

GONE: Final = 10**9
"""The version of a user that was deleted."""
PROMISE = 1.0
"""Seconds after which every worker shows an acknowledged write."""


@dataclass
class Truth:
    """Every acknowledged write, and what was seen in spite of it.

    Writes to one user come one after another here, as its versions do.
    """

    acknowledged: dict[str, list[tuple[float, int, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    begun: dict[str, int] = field(default_factory=dict)
    reads: int = 0
    wrong: list[str] = field(default_factory=list)

    def begin(self, user: str, version: int) -> None:
        """A write that will make ``version`` is sent."""
        self.begun[user] = version

    def acknowledge(self, user: str, worker: int, version: int, at: float) -> None:
        self.acknowledged[user].append((at, worker, version))

    def least(self, user: str, worker: int, at: float) -> int:
        """The oldest version that a read begun at ``at`` at that worker may show."""
        must = [
            version
            for when, writer, version in self.acknowledged[user]
            if when <= at - PROMISE or (writer == worker and when <= at)
        ]
        return max(must, default=1)

    def see(self, user: str, worker: int, began: float, version: int, name: str) -> None:
        """A read begun at ``began`` showed this; names tell their versions."""
        self.reads += 1
        least, most = self.least(user, worker, began), self.begun.get(user, 1)
        if not least <= version <= most:
            self.wrong.append(f"worker {worker} showed version {version}, not {least} to {most}")
        if version != GONE and name != f"v{version}":
            self.wrong.append(f"version {version} was shown with the name {name}")
