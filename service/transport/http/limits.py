"""How much, and how long, the REST door bears with one connection."""

from dataclasses import dataclass, fields

MIB = 2**20


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """How much, and for how many seconds, the door takes.

    A head counts from its first byte (the first one from the connection's begin), a body from the
    end of its head: what comes by drops is bounded too. ``write_seconds`` is how long a caller may
    take nothing of an answer that waits for it; ``half_closed_seconds`` how long an answer may
    take whose caller has closed its side, and may have left altogether.
    """

    body_bytes: int = MIB
    all_body_bytes: int = 64 * MIB
    """Bodies held at once, of all connections."""
    connections: int = 1000
    head_seconds: float = 10
    body_seconds: float = 15
    response_seconds: float = 35
    keep_alive_seconds: float = 30
    write_seconds: float = 10
    half_closed_seconds: float = 4

    @property
    def tick(self) -> float:
        """How often a connection is looked at: a time-out may be late by this."""
        names = [each.name for each in fields(self) if each.name.endswith("_seconds")]
        times: list[float] = [getattr(self, name) for name in names]
        return min(1.0, min(times) / 4)
