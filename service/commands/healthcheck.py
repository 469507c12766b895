"""``python -m service.commands.healthcheck``: the container's own question to what runs in it.

It is no command of ``manage.py``: it is asked every few seconds, so it imports next to nothing.
"""

import asyncio
import http.client
import os
import sys
import time
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path

WITHIN = 3.0
"""Seconds; the orchestrator's own time-out must be longer."""
FRESH = 15.0
"""Seconds since a worker's last sign of life after which it counts as dead."""
HEARTBEAT = "arcana-worker.alive"
FIRST_PROCESS = Path("/proc/1/cmdline")
USAGE = "usage: python -m service.commands.healthcheck [ready|live|grpc|worker]"


def main(*words: str) -> int:
    """0 when the service is ``ready``, merely ``live``, serving at ``grpc``, or a live ``worker``.

    Without a word it asks for what the container was started for.
    """
    match words or [_started_for()]:
        case ["worker"]:
            return _told("worker", _heard())
        case ["ready"]:
            return _told("http", _asked_http("/health/ready"))
        case ["live"]:
            return _told("http", _asked_http("/health/live"))
        case ["grpc"]:
            return _told("grpc", _asked_grpc())
        case _:
            print(USAGE, file=sys.stderr)  # noqa: T201  # a tool of its own
            return 2


def _told(door: str, answer: str) -> int:
    print(f"{door}: {answer}")  # noqa: T201  # orchestrators keep what a probe says
    return 0 if answer in ("200", "SERVING", "alive") else 1


def _started_for() -> str:
    """``worker`` or ``grpc`` where the container's first process was started as one or for it."""
    try:
        words = FIRST_PROCESS.read_bytes().split(b"\0")
    except OSError:
        return "ready"
    given = words[:-1]  # each word ends with the byte that parts them
    if given[-1:] == [b"worker"]:
        return "worker"
    return "grpc" if _doors(given) == b"grpc" else "ready"


def _doors(words: list[bytes]) -> bytes:
    """Which doors a command line opens; said twice, the last counts."""
    said = b"both"
    for word, after in pairwise([*words, b""]):
        if word == b"--doors":
            said = after
        elif word.startswith(b"--doors="):
            said = word.partition(b"=")[2]
    return said


def _heard() -> str:
    """Whether a worker with this run folder gave a sign of life lately; its loop touches a file."""
    folder = os.environ.get("RUN_FOLDER", "").strip() or "var"
    try:
        age = time.time() - (Path(folder) / HEARTBEAT).stat().st_mtime
    except OSError as error:
        return type(error).__name__
    return "alive" if age < FRESH else f"silent for {age:.0f} s"


def _asked_http(path: str) -> str:
    connection = http.client.HTTPConnection(_here(), _port("HTTP_PORT", 5000), timeout=WITHIN)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        return str(connection.getresponse().status)
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    finally:
        connection.close()


def _asked_grpc() -> str:
    from service.transport.rpc.probe import status_of  # noqa: PLC0415  # HTTP goes without it

    cert, key = (os.environ.get(f"GRPC_TLS_{part}", "").strip() for part in ("CERT", "KEY"))
    identity = (Path(cert), Path(key)) if cert and key else None
    return asyncio.run(status_of(_here(), _port("GRPC_PORT", 50051), WITHIN, identity))


def _here() -> str:
    """The address to ask: loopback, unless the doors are open on another one alone."""
    host = os.environ.get("HTTP_HOST", "").strip().strip("[]") or "127.0.0.1"
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "::1"
    return host


def _port(name: str, default: int) -> int:
    return int(os.environ.get(name, "").strip() or default)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
