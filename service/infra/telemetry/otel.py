"""Spans by OpenTelemetry. Imported only where the extra is installed and tracing is on."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.metadata import version
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service.core.tracing import Facts, Step, failure

CLOSE = 2.0
"""Seconds that spans not yet sent may take to leave at the end."""
_EXPORT_SECONDS = 5
_QUIETLY: Any = {"record_exception": False, "set_status_on_exception": False}
"""OpenTelemetry would write an exception's words into the span, and they may quote anything."""


def exporting_tracer(endpoint: str) -> "OtelTracer":
    """A tracer that sends to the collector at ``endpoint``, in a thread, dropping what is too much.

    OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES and OTEL_TRACES_SAMPLER are read by the SDK.
    """
    url = f"{endpoint.rstrip('/')}/v1/traces"
    return OtelTracer(OTLPSpanExporter(url, timeout=_EXPORT_SECONDS))


class OtelTracer:
    """A ``Tracer`` whose spans hold our own words and ids alone: no value, no message, no query."""

    def __init__(self, exporter: SpanExporter) -> None:
        names = {SERVICE_NAME: "arcana", SERVICE_VERSION: version("arcana")}
        # The environment's words for the service win over ours.
        resource = Resource(names).merge(Resource.create())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("arcana", version("arcana"))
        self._propagator = TraceContextTextMapPropagator()

    def door(self, headers: Mapping[str, str]) -> AbstractContextManager[Any]:
        parent = self._propagator.extract(headers, Context())
        return self._tracer.start_as_current_span("request", parent, SpanKind.SERVER, **_QUIETLY)

    def step(self, step: Step, operation: str, target: str) -> AbstractContextManager[None]:
        if not trace.get_current_span().is_recording():
            return nullcontext()
        return self._stepping(step, operation, target)

    @contextmanager
    def _stepping(self, step: Step, operation: str, target: str) -> Iterator[None]:
        kind = SpanKind.INTERNAL if step == "service" else SpanKind.CLIENT
        name = f"{operation} {target}".rstrip() if step != "cache" else f"redis {operation}"
        with self._tracer.start_as_current_span(name, kind=kind, **_QUIETLY) as span:
            for fact, value in _facts(step, operation, target).items():
                span.set_attribute(fact, value)
            try:
                yield
            except BaseException as error:
                code, ours = failure(error)
                _fail(span, code, ours=ours)
                raise

    def describe(self, name: str, facts: Facts, code: str | None, *, ours: bool) -> None:
        span = trace.get_current_span()
        span.update_name(name)
        span.set_attributes(dict(facts))
        if code is not None:
            _fail(span, code, ours=ours)

    def trace_id(self) -> str | None:
        context = trace.get_current_span().get_span_context()
        return f"{context.trace_id:032x}" if context.is_valid else None

    def flush(self) -> None:
        """Send what has ended so far, and wait for it."""
        self._provider.force_flush()

    def end(self) -> None:
        """Send what is left, and let go of the thread that sends."""
        self._provider.shutdown()

    async def close(self) -> None:
        """``end`` within ``CLOSE`` seconds; a collector that hangs holds nobody up."""
        closing = threading.Thread(target=self.end, daemon=True)
        closing.start()
        await asyncio.get_running_loop().run_in_executor(None, closing.join, CLOSE)


def _facts(step: Step, operation: str, target: str) -> Facts:
    match step:
        case "database":
            facts = {"db.operation.name": operation}
            return {**facts, "db.collection.name": target} if target else facts
        case "cache":
            return {"db.system.name": "redis", "db.operation.name": operation}
        case "service":
            return {"code.function.name": operation}


def _fail(span: trace.Span, code: str, *, ours: bool) -> None:
    span.set_attribute("error.type", code)
    if ours:
        span.set_status(Status(StatusCode.ERROR))
