"""Spans as tests look at them, kept in memory or received over OTLP."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult


@dataclass(frozen=True)
class Seen:
    """One span; ids as numbers in hex, and ``everything`` that could tell a secret."""

    name: str
    id: str
    trace: str
    parent: str | None
    facts: dict[str, Any]
    failed: bool
    everything: str


@dataclass
class Spans:
    """The spans of one trace or several."""

    seen: list[Seen] = field(default_factory=list)

    def named(self, name: str) -> Seen:
        """The one span of that name."""
        found = [span for span in self.seen if span.name == name]
        assert len(found) == 1, (name, [span.name for span in self.seen])
        return found[0]

    def of(self, trace: str) -> "Spans":
        return Spans([span for span in self.seen if span.trace == trace])

    def ancestors(self, span: Seen) -> list[str]:
        """The names of what it happened in, innermost first."""
        by_id = {one.id: one for one in self.seen}
        names = []
        while span.parent in by_id:
            span = by_id[span.parent]
            names.append(span.name)
        return names


class Keeper(SpanExporter):
    """Keeps what is exported."""

    def __init__(self) -> None:
        self.spans = Spans()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans.seen += map(_of_sdk, spans)
        return SpanExportResult.SUCCESS


def _of_sdk(span: ReadableSpan) -> Seen:
    assert span.context
    return Seen(
        span.name,
        f"{span.context.span_id:016x}",
        f"{span.context.trace_id:032x}",
        f"{span.parent.span_id:016x}" if span.parent else None,
        dict(span.attributes or {}),
        not span.status.is_ok,
        span.to_json(),
    )


@contextmanager
def collector() -> Iterator[tuple[str, Spans]]:
    """An OTLP receiver on this machine: its address, and what has come so far."""
    spans = Spans()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            assert self.path == "/v1/traces"
            spans.seen += _of_wire(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", spans
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def _of_wire(request: ExportTraceServiceRequest) -> Iterator[Seen]:
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Seen(
                    span.name,
                    span.span_id.hex(),
                    span.trace_id.hex(),
                    span.parent_span_id.hex() or None,
                    {one.key: one.value.string_value for one in span.attributes},
                    span.status.code == 2,
                    str(resource.resource) + str(span),
                )
