"""The program with TLS at its gRPC door, on the loop that it has in production."""

import asyncio
import ssl
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpclib.health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from tests.support.certificates import Pair, authority, signed_by, written
from tests.support.processes import started

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
_HEALTH = "/grpc.health.v1.Health/"
_CODEC: dict[str, Any] = {
    "request_serializer": HealthCheckRequest.SerializeToString,
    "response_deserializer": HealthCheckResponse.FromString,
}


async def shown(port: int, root: Pair, client: Path) -> bytes:
    """The certificate that a new caller is shown; its own is in the folder ``client``."""
    context = ssl.create_default_context(cadata=root.pem.decode())
    context.set_alpn_protocols(["h2"])
    context.load_cert_chain(client / "cert.pem", client / "key.pem")
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return ssl.DER_cert_to_PEM_cert(found).encode()


async def test_a_certificate_is_renewed_under_a_running_stream(tmp_path: Path) -> None:
    ours, theirs = authority("Ours"), authority("Of clients")
    first, second = signed_by(ours, "first"), signed_by(ours, "second")
    me = signed_by(theirs, "client")
    files = written(tmp_path, first, client_ca=theirs)
    mine = tmp_path / "client"
    mine.mkdir()
    written(mine, me)
    settings = {
        "GRPC_TLS_CERT": str(files.cert),
        "GRPC_TLS_KEY": str(files.key),
        "GRPC_TLS_CLIENT_CA": str(files.client_ca),
    }
    with started(tmp_path, "run", settings) as service:
        credentials = grpc.ssl_channel_credentials(ours.pem, me.key_pem(), me.pem)
        address = f"127.0.0.1:{service.rpc_port}"
        async with grpc.aio.secure_channel(address, credentials) as channel:
            watching = channel.unary_stream(_HEALTH + "Watch", **_CODEC)(HealthCheckRequest())
            assert (await watching.read()).status == HealthCheckResponse.SERVING
            assert await shown(service.rpc_port, ours, mine) == first.pem
            written(tmp_path, second, client_ca=theirs)
            until = time.monotonic() + 60
            while await shown(service.rpc_port, ours, mine) != second.pem:
                assert time.monotonic() < until
                await asyncio.sleep(0.5)
            assert not watching.done()
            check = channel.unary_unary(_HEALTH + "Check", **_CODEC)
            assert (await check(HealthCheckRequest())).status == HealthCheckResponse.SERVING
        assert service.terminate() == 0
