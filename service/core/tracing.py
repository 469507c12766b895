"""Spans of one request's way through the service, and the port over which they leave.

Where no tracer is installed a span costs a comparison and a call (``make bench-metrics``).
"""

from collections.abc import Awaitable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from inspect import iscoroutine
from typing import Any, Literal, Protocol, TypeVar, cast

from service.core.errors import Refusal

Step = Literal["service", "database", "cache"]
Facts = Mapping[str, str | int]
R = TypeVar("R")


class Tracer(Protocol):
    """Makes spans; never raises, and bounds what it keeps."""

    def door(self, headers: Mapping[str, str]) -> AbstractContextManager[None]:
        """The span of a request; its parent is what ``traceparent`` in ``headers`` says."""

    def step(self, step: Step, operation: str, target: str) -> AbstractContextManager[None]:
        """A span inside the running one; nothing when none runs, as in background tasks."""

    def describe(self, name: str, facts: Facts, code: str | None, *, ours: bool) -> None:
        """Name the running span; ``code`` is how it failed, ``ours`` that it is our fault."""

    def trace_id(self) -> str | None:
        """The trace of the running span."""


_tracer: Tracer | None = None
_NOTHING: AbstractContextManager[None] = nullcontext()


def install(tracer: Tracer | None) -> None:
    """Have ``tracer`` make this process's spans; None for nobody."""
    global _tracer
    _tracer = tracer


def is_traced() -> bool:
    """Whether anybody makes spans."""
    return _tracer is not None


@contextmanager
def traced_by(tracer: Tracer) -> Iterator[None]:
    """``install`` for the length of a block."""
    before = _tracer
    install(tracer)
    try:
        yield
    finally:
        install(before)


def door(headers: Mapping[str, str]) -> AbstractContextManager[None]:
    """The span of a request. Of the headers only W3C's own are looked at."""
    return _NOTHING if _tracer is None else _tracer.door(headers)


def step(step: Step, operation: str, target: str = "") -> AbstractContextManager[None]:
    """A span around a step; both words are ours, never a caller's, and hold no value."""
    return _NOTHING if _tracer is None else _tracer.step(step, operation, target)


def describe(name: str, facts: Facts, code: str | None, *, ours: bool) -> None:
    """Say what the running span was about, once that is known."""
    if _tracer is not None:
        _tracer.describe(name, facts, code, ours=ours)


def trace_id() -> str | None:
    """What ties a log line to its trace; None when there is none."""
    return None if _tracer is None else _tracer.trace_id()


def traced(operation: str, result: R) -> R:
    """``result`` of a service method; one that is awaited has its span while it runs.

    A stream has none: what runs between its items is its reader's.
    """
    if _tracer is None or not iscoroutine(result):
        return result
    return cast(R, _within(operation, result))


async def _within(operation: str, result: Awaitable[Any]) -> Any:
    with step("service", operation):
        return await result


def failure(error: BaseException) -> tuple[str, bool]:
    """The code of an error, or its type's name, never its words; and whether it is our fault."""
    if isinstance(error, Refusal):
        return error.code, error.code == "unavailable"
    return type(error).__name__, isinstance(error, Exception)
