"""Which calls of a connection begin, and that each is let go of exactly once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from grpclib.protocol import Stream as Http2Stream
from grpclib.server import Handler
from h2.errors import ErrorCodes

from service.transport.rpc.arrival import ARRIVAL, Headers, read_headers
from service.transport.rpc.limits import Limits
from service.transport.rpc.streams import EdgeStream

_GRPCLIB = "grpc-python-grpclib"
"""How the user agent of its client begins."""
_CONTENT_TYPE = "application/grpc"


class EdgeHandler(Handler):
    """Starts the calls of one connection, and lets go of each exactly once."""

    last_id, begun, released_at = 0, 0, 0.0
    breaks_on_goaway = True
    is_late: Callable[[], bool]

    def __init__(self, plain: Handler, limits: Limits, unknown: str) -> None:
        super().__init__(plain.mapping, plain.codec, plain.status_details_codec, plain.dispatch)
        self._limits, self._unknown = limits, unknown
        self._held: dict[Http2Stream, Callable[[], Any]] = {}

    @property
    def are_full(self) -> bool:
        """Whether one more call would be refused."""
        return len(self._held) >= self._limits.streams

    def accept(
        self, stream: Http2Stream, headers: Headers, release_stream: Callable[[], Any]
    ) -> None:
        assert isinstance(stream, EdgeStream)
        if self.are_full:
            _refuse(stream)
            release_stream()
            return
        kept, arrived = read_headers(headers, self._limits.headers)
        said = dict(kept)
        path = said.get(":path")
        method = self.mapping.get(path or "")
        one_message = method is not None and not method.cardinality.client_streaming
        stream.arrived(headers, said, one_message=one_message)
        arrived = replace(arrived, is_late=self.is_late())
        if not arrived.is_late:
            self.last_id = stream.id or self.last_id
        self.breaks_on_goaway = said.get("user-agent", "").startswith(_GRPCLIB)
        self._held[stream] = release_stream
        self.begun += 1
        token = ARRIVAL.set(arrived)
        try:
            super().accept(stream, self._mended(kept, said), lambda: self._release(stream))
        finally:
            ARRIVAL.reset(token)

    def _mended(self, kept: Headers, said: dict[str, str]) -> Headers:
        """The headers, so that grpclib finds a method to call, also for a path of nobody."""
        mended = {":method": said.get(":method", "")}
        if said.get(":path") not in self.mapping:
            mended[":path"] = self._unknown
        kind, parted, _ = said.get("content-type", "").partition(";")
        if parted and kind.rstrip(" ") == _CONTENT_TYPE:
            mended["content-type"] = _CONTENT_TYPE
        return [*((n, v) for n, v in kept if n not in mended), *mended.items()]

    def cancel(self, stream: Http2Stream) -> None:
        super().cancel(stream)
        self._release_unbegun([stream])

    def close(self) -> None:
        super().close()
        self._release_unbegun(list(self._held))

    def _release_unbegun(self, streams: list[Http2Stream]) -> None:
        """A task cancelled before its first step never releases its stream."""
        for stream in streams:
            if stream.wrapper is None:
                self._release(stream)

    def _release(self, stream: Http2Stream) -> None:
        if release := self._held.pop(stream, None):
            assert isinstance(stream, EdgeStream)
            stream.inbound.let_go()
            self.released_at = self.loop.time()
            release()


def _refuse(stream: Http2Stream) -> None:
    """Reset it as one that was not looked at: clients send it again (RFC 9113 §8.7)."""
    if stream.closable:
        stream.reset_nowait(ErrorCodes.REFUSED_STREAM)
