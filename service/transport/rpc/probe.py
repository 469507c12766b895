"""One question to a gRPC door: whether it serves."""

import asyncio
import ssl
from pathlib import Path

from grpclib.client import Channel
from grpclib.exceptions import GRPCError, StreamTerminatedError
from grpclib.health.v1.health_grpc import HealthStub
from grpclib.health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse


async def status_of(
    host: str, port: int, within: float, identity: tuple[Path, Path] | None = None
) -> str:
    """What ``grpc.health.v1`` says of the whole, or what kind of failure kept it from saying so.

    It takes ``within`` seconds at most. A door behind TLS is asked with its own ``identity``,
    certificate and key, and whatever it shows is believed: it is asked how it fares, not who it is.
    """
    try:
        channel = Channel(host, port, ssl=_believing(*identity) if identity else None)
    except OSError as error:
        return type(error).__name__
    try:
        async with asyncio.timeout(within):
            answer = await HealthStub(channel).Check(HealthCheckRequest())
    except GRPCError as error:
        return error.status.name
    except (OSError, TimeoutError, StreamTerminatedError) as error:
        return type(error).__name__
    finally:
        channel.close()
    return str(HealthCheckResponse.ServingStatus.Name(answer.status))


def _believing(cert: Path, key: Path) -> ssl.SSLContext:
    """Raises: OSError, of which ssl.SSLError is one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    context.load_cert_chain(cert, key, password="")
    return context
