"""What the first headers of a call said, where grpclib would stumble over it."""

import asyncio
import re
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass

from service.transport.rpc.faults import BadHeader, Fault

Headers = list[tuple[str, str]]

_TIMEOUT = re.compile(r"([0-9]{1,8})([HMSmun])", re.ASCII)
"""At most eight digits (gRPC over HTTP/2, TimeoutValue)."""
_SECONDS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?")


@dataclass(frozen=True, slots=True)
class Arrival:
    """The caller's deadline, in the loop's time, and what was wrong with the headers."""

    deadline: float | None = None
    fault: type[Fault] | None = None


ARRIVAL: ContextVar[Arrival] = ContextVar("arcana_rpc_arrival", default=Arrival())  # noqa: B039  # it is frozen


def arrival() -> Arrival:
    """How the call of the running task arrived."""
    return ARRIVAL.get()


def read_headers(headers: Iterable[tuple[str, str]]) -> tuple[Headers, Arrival]:
    """The headers that grpclib may see, and what was taken out of them.

    Its own reading of ``grpc-timeout`` and of binary metadata leaves some calls without an answer.
    """
    kept: Headers = []
    timeouts: list[float] = []
    fault: type[Fault] | None = None
    for name, value in headers:
        if name == "grpc-timeout":
            if match := _TIMEOUT.fullmatch(value):
                timeouts.append(int(match[1]) * _SECONDS[match[2]])
            else:
                fault = BadHeader
        elif name.endswith("-bin"):
            values = [part.strip(" ") for part in value.split(",")]
            if not all(map(_BASE64.fullmatch, values)):
                fault = BadHeader
                continue
            kept.extend((name, part) for part in values)
        else:
            kept.append((name, value))
    deadline = asyncio.get_running_loop().time() + min(timeouts) if timeouts else None
    return kept, Arrival(deadline, fault)
