"""What one worker knows of the change feed: which ids it has met, and each user's last change."""

import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

from service.infra.changes.rows import Change

WINDOW = 30.0
"""Seconds a missing id is waited for: a transaction that took it may still commit."""
SPANS = 32
"""Missing spans that are asked for one by one; beyond, everything between first and last is."""

_UNHEARD = object()


class Gap(NamedTuple):
    """Ids never met, with higher ones met at ``since``: rolled back, or about to commit."""

    low: int
    high: int
    since: float


class Known:
    """The ids met so far, and the last change of each of the ``users`` that changed last.

    Invariant: the changes of one user commit in the order of their ids, because each is inserted
    after the write that locks the user's row. So who has met a user's change number n, and then
    reads the database, reads every change of that user up to n.
    """

    def __init__(self, users: int = 20_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._clock = users, clock
        self.begin_at(0)

    def begin_at(self, top: int) -> None:
        """Forget everything; nothing is known of the changes up to ``top``."""
        self.top = self._floor = top
        self._gaps: list[Gap] = []
        self._last: OrderedDict[UUID, int] = OrderedDict()
        self._heard: OrderedDict[tuple[int, UUID, str], object] = OrderedDict()

    def meet(self, change: Change) -> bool:
        """Take note of a row of the feed; False when it was met or heard of before."""
        if change.id > self.top:
            if change.id > self.top + 1:
                self._gaps.append(Gap(self.top + 1, change.id - 1, self._clock()))
            self.top = change.id
        elif not self._fill(change.id):
            return False
        self.note(change)
        return self._heard.pop(change.name, _UNHEARD) is _UNHEARD

    def hear(self, change: Change) -> bool:
        """Take note of a change told before its row is met; False when it is no news."""
        if change.name in self._heard or (
            change.id <= self.top and self._gap_of(change.id) is None
        ):
            return False
        self.note(change)
        self._heard[change.name] = None
        if len(self._heard) > self._limit:
            self._heard.popitem(last=False)
        return True

    def note(self, change: Change) -> None:
        """Remember it as the user's last change, unless a later one is known."""
        if self._last.get(change.user_id, 0) >= change.id:
            return
        self._last[change.user_id] = change.id
        self._last.move_to_end(change.user_id)
        if len(self._last) > self._limit:
            self._floor = max(self._floor, self._last.popitem(last=False)[1])

    def missing(self) -> list[tuple[int, int]]:
        """The spans of ids to look for again; those waited for long enough are given up."""
        given_up = self._clock() - WINDOW
        self._gaps = [gap for gap in self._gaps if gap.since > given_up]
        if len(self._gaps) > SPANS:
            return [(self._gaps[0].low, self._gaps[-1].high)]
        return [(gap.low, gap.high) for gap in self._gaps]

    def mark(self, user_id: UUID | None) -> int:
        """How far a read of that user which begins now is sure to see: its changes up to this."""
        settled = self._gaps[0].low - 1 if self._gaps else self.top
        return max(settled, self._last.get(user_id, 0)) if user_id else settled

    def trusts(self, user_id: UUID, mark: int) -> bool:
        """Whether a value read under ``mark`` holds every change of the user known here."""
        return mark >= self._last.get(user_id, self._floor)

    def _gap_of(self, number: int) -> int | None:
        """The place of the gap that ``number`` lies in."""
        at = bisect_right(self._gaps, number, key=lambda gap: gap.low) - 1
        return at if at >= 0 and number <= self._gaps[at].high else None

    def _fill(self, met: int) -> bool:
        """Take ``met`` out of the gap it lies in; False when it lies in none."""
        at = self._gap_of(met)
        if at is None:
            return False
        low, high, since = self._gaps[at]
        halves = [Gap(low, met - 1, since), Gap(met + 1, high, since)]
        self._gaps[at : at + 1] = [gap for gap in halves if gap.low <= gap.high]
        return True
