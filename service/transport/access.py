"""What is told of each request that ends, at both doors alike: a line, counts, and its span."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from service.core import tracing
from service.core.access import Actor
from service.core.metrics import REQUEST_DURATION, REQUESTS

OK = "ok"
"""The code of a request that was not refused."""
GONE = "cancelled"
"""The code of one whose caller left before the answer."""
UNKNOWN = "unknown"
"""Stands for every operation that is not there: callers' words are not to become labels."""

_log = logging.getLogger("arcana.access")


@dataclass(slots=True)
class Ended:
    """A request that ended. ``method`` and ``where`` are the door's words for ``operation``."""

    door: str
    operation: str
    method: str
    where: str
    status: int | str
    code: str
    seconds: float
    request_id: str
    peer: str
    actor: Actor | None


def tell(ended: Ended, facts: Callable[[Ended], tracing.Facts], *, ours: bool) -> None:
    """Tell of ``ended``, and nothing that the caller typed but its request's checked id.

    ``facts`` are the door's names for it in a span; ``ours`` says that the failure is our fault.
    """
    REQUESTS.add(ended.door, ended.operation, ended.code)
    REQUEST_DURATION.observe(ended.seconds, ended.door, ended.operation)
    line = _line(ended)
    if tracing.is_traced():
        code = None if ended.code == OK else ended.code
        name = f"{ended.method} {ended.where}".strip("/ ")
        tracing.describe(name, facts(ended), code, ours=ours)
        line["trace_id"] = tracing.trace_id()
    _log.info("%s %s", ended.method, ended.where or ended.status, extra=line)


def _line(ended: Ended) -> dict[str, object]:
    actor = ended.actor
    line: dict[str, object] = {
        "door": ended.door,
        "operation": ended.operation,
        "method": ended.method,
        "status": ended.status,
        "code": ended.code,
        "duration_ms": round(ended.seconds * 1000, 3),
        "request_id": ended.request_id,
        "peer": ended.peer,
    }
    if ended.where:
        line["route"] = ended.where
    if actor is not None and actor.is_signed_in:
        line["actor"] = str(actor.user_id)
        line["credential"] = _credential(actor)
    return line


def _credential(actor: Actor) -> str:
    """By what kind of credential ``actor`` signed in; only an API key has scopes."""
    if actor.scopes is not None:
        return "api_key"
    return "session" if actor.session_id else "other"
