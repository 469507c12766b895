"""What the first headers of a call said, where grpclib would stumble over it."""

import asyncio
import re
from contextvars import ContextVar
from dataclasses import dataclass

from service.transport.rpc.faults import BadHeader, Fault, HeadersTooLarge

Headers = list[tuple[str, str]]

_TIMEOUT = re.compile(r"[0-9]{1,8}[HMSmun]", re.ASCII)
"""At most eight digits (gRPC over HTTP/2, TimeoutValue)."""
_SECONDS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_NAME = re.compile(r"[0-9a-z_.-]+", re.ASCII)
"""Of metadata (gRPC over HTTP/2, Header-Name)."""
_PSEUDO = frozenset({":method", ":scheme", ":path", ":authority"})
_SCHEMES = ("http", "https")
_OF_CONNECTIONS = frozenset(
    {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}
)
"""Headers that say something of a connection have no place in HTTP/2 (RFC 9113 §8.2.2)."""
_LENGTH = re.compile(r"[0-9]{1,19}", re.ASCII)
_OVERHEAD = 32
"""Bytes that each header counts for beyond its own (RFC 9113 §6.5.2)."""
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?")


@dataclass(frozen=True, slots=True)
class Arrival:
    """The caller's deadline, in the loop's time, and what was wrong with the headers.

    ``agent`` is what the caller's program calls itself; grpclib does not pass it on. ``is_late``
    says that the connection is leaving and takes no more calls.
    """

    deadline: float | None = None
    fault: type[Fault] | None = None
    agent: str = ""
    is_late: bool = False


ARRIVAL: ContextVar[Arrival] = ContextVar("arcana_rpc_arrival", default=Arrival())  # noqa: B039  # it is frozen


def arrival() -> Arrival:
    """How the call of the running task arrived."""
    return ARRIVAL.get()


def read_headers(headers: Headers, at_most: int) -> tuple[Headers, Arrival]:
    """The headers that grpclib may see, and what was taken out of them; ``at_most`` bytes.

    Its own reading of ``grpc-timeout`` and of binary metadata leaves some calls without an answer.
    """
    fault = _fault(headers, at_most)
    kept: Headers = []
    timeouts: list[float] = []
    agent = ""
    for name, value in headers:
        parts = _parts(name, value)
        if parts is None:
            fault = fault or BadHeader
        elif name == "grpc-timeout":
            timeouts.append(int(value[:-1]) * _SECONDS[value[-1]])
        else:
            agent = value if name == "user-agent" else agent
            kept.extend((name, part) for part in parts)
    deadline = asyncio.get_running_loop().time() + min(timeouts) if timeouts else None
    return kept, Arrival(deadline, fault, agent)


def _fault(headers: Headers, at_most: int) -> type[Fault] | None:
    """What is wrong with all of them together (RFC 9113 §8.3)."""
    if sum(len(name) + len(value) + _OVERHEAD for name, value in headers) > at_most:
        return HeadersTooLarge
    names = [name for name, _ in headers]
    count = sum(name.startswith(":") for name in names)
    pseudo = dict(headers[:count])
    is_sound = (
        len(pseudo) == count  # each once, and before the others
        and pseudo.keys() <= _PSEUDO
        and pseudo.get(":scheme") in _SCHEMES
        and "@" not in pseudo.get(":authority", "")
        and names.count("content-length") <= 1
    )
    return None if is_sound else BadHeader


def _parts(name: str, value: str) -> list[str] | None:
    """The values that a header has; None when it cannot be read."""
    if name == "grpc-timeout":
        return [value] if _TIMEOUT.fullmatch(value) else None
    if name == "content-length":
        return [value] if _LENGTH.fullmatch(value) else None
    if not (value.isascii() and value.isprintable()) or value.strip(" ") != value:
        return None
    if name in _OF_CONNECTIONS:
        return None
    if name.endswith("-bin"):
        values = [part.strip(" ") for part in value.split(",")]
        return values if all(map(_BASE64.fullmatch, values)) else None
    return [value] if name.startswith(":") or _NAME.fullmatch(name) else None
