"""How much one caller, and all together, may take of the gRPC door."""

from dataclasses import dataclass

KIB, MIB = 1 << 10, 1 << 20


@dataclass(frozen=True, slots=True)
class Rate:
    """``burst`` at once, and ``per_second`` from then on."""

    burst: int
    per_second: float


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of the door; sizes are in bytes, times in seconds.

    Where nothing else is said a bound is that of one connection. Why each is what it is stands in
    decision 17.
    """

    message: int = 4 * MIB
    stream: int = 64 * MIB
    """What one call may send in all."""
    headers: int = 16 * KIB
    """What a call's headers may take, 32 bytes for each included (RFC 9113 §6.5.2)."""
    settings: int = 64
    """Different settings that a peer may send: h2 keeps each, known or not."""
    streams: int = 100
    """Calls at once. One more is refused in a way that clients try again."""
    stream_window: int = 64 * KIB - 1
    window: int = 256 * KIB
    """What may be on its way and unread."""
    claims: int = 16 * MIB
    """Large messages held at once."""
    all_claims: int = 64 * MIB
    """Large messages held at once by all connections."""
    unsent: int = 8 * MIB
    """What may wait for a peer that does not read."""
    connections: int = 1000
    """Of one worker."""

    greeting: float = 10.0
    """Until the peer has taken our settings, which also is how long a TLS handshake may take."""
    idle: float = 300.0
    """Without a call."""
    age: float = 3600.0
    """Until the peer is asked to connect anew, a tenth more or less by chance; as long again and
    the connection is cut."""
    quiet: float = 30.0
    """Until a peer with calls that says nothing is asked whether it lives."""
    pong: float = 20.0
    """Until it must have said something."""
    stall: float = 20.0
    """Until a peer must have made room for what it is sent."""
    look: float = 1.0
    """Between two looks at these times."""

    resets: Rate = Rate(100, 33)
    """Calls taken back (CVE-2023-44487). nghttp2 allows 33 a second, too."""
    nuisances: Rate = Rate(1000, 50)
    """Frames that carry nothing."""


class Allowance:
    """What a peer may still do at a ``rate``; it never saves up more than a burst."""

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate, self._left, self._at = rate, float(rate.burst), now

    def earn(self, amount: float) -> None:
        self._left = min(self._rate.burst, self._left + amount)

    def spend(self, now: float) -> bool:
        """Take one; False when none was left."""
        self.earn((now - self._at) * self._rate.per_second)
        self._at = now
        self._left -= 1
        return self._left >= 0
