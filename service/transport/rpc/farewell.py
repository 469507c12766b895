"""How a gRPC connection ends without failing a call that was sent."""

import asyncio
from enum import Enum, auto
from typing import Protocol

from grpclib.protocol import EventsProcessor
from h2.events import PingAckReceived
from hyperframe.frame import GoAwayFrame, PingFrame

ANY_STREAM = 2**31 - 1
"""The highest id there can be: the first GOAWAY takes whatever is on its way (RFC 9113 §6.8)."""
PATIENCE = 1.0
"""Seconds a peer has to answer the ping behind the first GOAWAY, after which it gets the last."""
LINGER = 0.3
"""Seconds without a call after which a client that breaks on GOAWAY is taken to pause."""
TURNS = 3
"""Pings answered in a row, without a call between them, after which such a client has seen its last
answer: its event loop goes round at least once for each, however slow it is. Time tells nothing: a
client that is short of time reads an answer and a GOAWAY behind it at once, and fails the call."""
FLUSH = 1.0
"""Seconds a peer has to close by itself: who writes to a connection that we closed first gets a
reset, and has not read why."""
_PING = b"farewell"


class Leaver(Protocol):
    """What is asked of a connection that leaves."""

    transport: asyncio.Transport
    processor: EventsProcessor

    @property
    def last_id(self) -> int:
        """The highest stream that was begun; 0 when there was none."""

    @property
    def breaks_on_goaway(self) -> bool:
        """Whether its client fails the calls under way when it is told to go, as grpclib's does.

        Of one that has not called yet nobody knows, so it does.
        """


class Step(Enum):
    """How far the farewell of a connection is."""

    NOTHING_SAID = auto()
    WARNED = auto()
    TOLD = auto()


class Farewell:
    """The way out of one connection: ``advance`` is called over and over until it is gone.

    A GOAWAY that takes every stream, a ping, and when that is answered the GOAWAY with the last
    stream: what crossed the first one on the wire is served, as grpc's own servers do it.
    grpclib's client fails its calls on any GOAWAY: it gets the last one alone, in a pause.

    The frames are written by hand: h2's own way of closing forbids any further answer.
    """

    def __init__(self, leaver: Leaver) -> None:
        self._leaver = leaver
        self._step, self._since, self._last = Step.NOTHING_SAID, 0.0, 0
        self._turns, self._pinged, self._awaited = 0, 0.0, False
        self._insists = False

    @property
    def refuses(self) -> bool:
        """Whether a call that begins now is one too many; it was not sent before we said so."""
        told = self._step is Step.TOLD
        return told or (self._insists and self._step is Step.NOTHING_SAID)

    def hear_ping(self, event: PingAckReceived) -> None:
        """Note that everything sent before our ping came has arrived."""
        if event.ping_data == _PING and self._awaited:
            self._turns, self._awaited = self._turns + 1, False

    def advance(self, now: float, *, insist: bool) -> None:
        """Do what is due; ``insist`` refuses calls of who breaks on GOAWAY, so that it pauses."""
        self._insists = insist
        if self._step is Step.NOTHING_SAID:
            if self._leaver.breaks_on_goaway:
                self._wait_for_a_pause(now)
            else:
                self._write(GoAwayFrame(0, last_stream_id=ANY_STREAM, error_code=0))
                self._ping(now)
                self._step = Step.WARNED
        elif self._step is Step.WARNED:
            if self._turns or now - self._pinged > PATIENCE:
                self.tell(now)
        elif self._leaver.processor.streams:
            self._since = now
        elif now - self._since >= FLUSH:
            self.close()

    def _wait_for_a_pause(self, now: float) -> None:
        leaver = self._leaver
        if leaver.processor.streams or leaver.last_id != self._last or not self._since:
            self._since, self._last, self._turns = now, leaver.last_id, 0
            self._awaited = False
        elif self._insists or now - self._since >= LINGER:
            if self._turns >= TURNS:
                self.tell(now)
            elif not self._awaited or now - self._pinged > PATIENCE:
                self._turns += self._awaited  # one that answers no ping is not waited for
                self._ping(now)

    def tell(self, now: float) -> None:
        """Say which stream is the last; nothing after it will be served."""
        self._write(GoAwayFrame(0, last_stream_id=self._leaver.last_id, error_code=0))
        self._step, self._since = Step.TOLD, now

    def close(self) -> None:
        """Close once everything is written, whatever still runs."""
        if self._step is not Step.TOLD:
            self.tell(0.0)
        self._leaver.processor.close("server stopped")

    def _ping(self, now: float) -> None:
        self._write(PingFrame(0, opaque_data=_PING))
        self._pinged, self._awaited = now, True

    def _write(self, frame: GoAwayFrame | PingFrame) -> None:
        if not self._leaver.transport.is_closing():
            self._leaver.transport.write(frame.serialize())
