"""Connections of the REST door: how many there may be, and how long each may take."""

import logging
from asyncio import Transport
from time import monotonic
from typing import Any, cast

from sanic.exceptions import RequestTimeout, ServiceUnavailable
from sanic.server import HttpProtocol

from service.transport.http.http1 import GuardedHttp, Phase
from service.transport.http.limits import HttpLimits
from service.transport.http.overload import overloaded

_log = logging.getLogger("arcana.http")
_WAITING = (Phase.IDLE, Phase.HEAD, Phase.BODY)


class GuardedProtocol(HttpProtocol):
    """Sanic's connection with the guard inside, and clocks that end in a closed socket.

    Sanic's own clock starts anew with each byte, and once it has struck it never looks again.
    """

    HTTP_CLASS = GuardedHttp
    __slots__ = ("_blocked_since", "_ended_at", "_limits")

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._limits: HttpLimits = self.app.ctx.http_limits
        self._blocked_since: float | None = None
        self._ended_at: float | None = None

    # At the door

    def connection_made(self, transport: Any) -> None:
        if len(self.connections) >= self._limits.connections and not self._make_room():
            transport.write(overloaded())
            transport.close()
            return
        super().connection_made(transport)

    def _make_room(self) -> bool:
        """Close the connection that has been waiting for its caller the longest, if there is one.

        So callers that only hold connections open keep nobody else out.
        """
        waiting = [c for c in self.connections if c.http is not None and c.http.phase in _WAITING]
        oldest = min(waiting, key=lambda connection: connection.http.since, default=None)
        if oldest is None:
            return False
        self.connections.discard(oldest)
        oldest.transport.abort()
        return True

    def abort(self) -> None:
        """As Sanic's, but the transport stays known: without it a cut head is logged as a bug."""
        if self.transport is not None:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.conn_info is not None:  # else it was never let in
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.conn_info is not None:
            super().data_received(data)

    # Callers that have said all

    def eof_received(self) -> bool:
        """Stay open for what came whole; where more is waited for, close at once.

        Who has left looks the same as who listens on, until it is written to.
        """
        is_waiting = not self._data_received.is_set()
        if self._task is None or is_waiting or self._is_ending:
            return False
        self._ended_at = monotonic()
        return True

    @property
    def _is_ending(self) -> bool:
        return self.http is not None and self.http.phase is Phase.ENDING

    async def receive_more(self) -> None:
        """As Sanic's; from a caller that has said all nothing comes, so that is the end."""
        if self._ended_at is None:
            await super().receive_more()
            return
        self._hang_up()
        self._data_received.clear()
        await self._data_received.wait()  # in vain: the lost connection cancels it

    def _hang_up(self) -> None:
        """Close once all that is written was taken, or too much time has passed."""
        cast(GuardedHttp, self._http).enter(Phase.ENDING)
        cast(Transport, self.transport).close()

    # Slow readers

    def pause_writing(self) -> None:
        self._blocked_since = monotonic()
        super().pause_writing()

    def resume_writing(self) -> None:
        self._blocked_since = None
        super().resume_writing()

    # Clocks

    def check_timeouts(self) -> None:
        """Look at the clocks now, and again in a moment, as long as there is a connection."""
        if self._task is None or self.transport is None:
            return
        now, http = monotonic(), cast(GuardedHttp, self._http)
        blocked = self._blocked_since
        if blocked is not None and now - blocked > self._limits.write_seconds:
            self.transport.abort()
        elif self._ended_at is not None and self._has_left(http, self._ended_at, now):
            self._hang_up()
        elif now - http.since > self._patience(http.phase):
            self._time_out(http)
        self._callback_check_timeouts = self.loop.call_later(self._limits.tick, self.check_timeouts)

    def _has_left(self, http: GuardedHttp, ended_at: float, now: float) -> bool:
        """Whether a caller that has said all is taken for gone: its answer takes too long."""
        since = max(ended_at, http.since)
        return http.phase is Phase.ANSWER and now - since > self._limits.half_closed_seconds

    def _patience(self, phase: Phase) -> float:
        match phase:
            case Phase.IDLE:
                return self._limits.keep_alive_seconds
            case Phase.HEAD:
                return self._limits.head_seconds
            case Phase.BODY:
                return self._limits.body_seconds
            case Phase.ANSWER:
                return self._limits.response_seconds
            case Phase.ENDING:
                return self._limits.write_seconds

    def _time_out(self, http: GuardedHttp) -> None:
        """Say so where somebody waits for an answer; who is told so and does not go is cut off."""
        if http.phase is Phase.ENDING:
            cast(Transport, self.transport).abort()
            return
        late = http.phase is not Phase.ANSWER
        http.exception = RequestTimeout() if late else ServiceUnavailable()
        http.enter(Phase.ENDING)
        if self._task is not None:
            self._task.cancel()
