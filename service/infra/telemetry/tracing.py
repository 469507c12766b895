"""Whether spans are made, and of what; OpenTelemetry itself is an extra (see ``otel``)."""

from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast

from service.core.tracing import Tracer

DEFAULT_ENDPOINT = "http://127.0.0.1:4318"
"""Where a collector on this machine listens (OTLP over HTTP)."""
_NEEDS = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


class ClosingTracer(Tracer, Protocol):
    """A tracer that is somebody's to close."""

    async def close(self) -> None:
        """Send what is left, for a moment, and let go."""


def is_wanted(setting: bool | None, endpoint: str | None) -> bool:
    """On or off as the setting says; where it says nothing, on when there is somewhere to send."""
    return endpoint is not None if setting is None else setting


def is_installed() -> bool:
    """Whether the extra is there."""
    try:
        return all(find_spec(name) is not None for name in _NEEDS)
    except ModuleNotFoundError:  # not even the package around it
        return False


def tracer_of(setting: bool | None, endpoint: str | None) -> ClosingTracer | None:
    """The tracer of this process, if spans are wanted."""
    if not is_wanted(setting, endpoint):
        return None
    otel = import_module("service.infra.telemetry.otel")  # not before it is known to be there
    return cast(ClosingTracer, otel.exporting_tracer(endpoint or DEFAULT_ENDPOINT))
