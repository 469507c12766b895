"""Identifiers: UUIDv7, so that rows made later sort later (RFC 9562 §5.7)."""

import os
import re
import threading
import time
from uuid import UUID

_CANONICAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_lock = threading.Lock()
_last = 0


def new_id() -> UUID:
    """A new UUIDv7, larger than every one made before it in this process.

    The 12 bits after the millisecond count its fractions (RFC 9562 §6.2, method 3); a clock that
    stands still or steps back only counts on from the last value.
    """
    global _last
    with _lock:
        now = time.time_ns()
        ticks = max((now // 1_000_000 << 12) | (now % 1_000_000 * 4096 // 1_000_000), _last + 1)
        _last = ticks
    random = int.from_bytes(os.urandom(8), "big") >> 2
    milliseconds, fraction = ticks >> 12, ticks & 0xFFF
    return UUID(int=(milliseconds << 80) | (7 << 76) | (fraction << 64) | (2 << 62) | random)


def canonical(text: str) -> UUID | None:
    """The UUID that ``text`` writes in its canonical form (RFC 9562 §4), or None."""
    return UUID(text) if _CANONICAL.fullmatch(text) else None
