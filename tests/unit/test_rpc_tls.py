"""TLS at the gRPC door: with the official client and by hand, with certificates made here."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from arcana_protos.common import FieldError as Note

from service.transport.rpc.limits import Limits
from service.transport.rpc.probe import status_of
from service.transport.rpc.tls import BadCertificate, TlsFiles
from tests.support.certificates import Pair, authority, signed_by, written
from tests.support.peer import until
from tests.support.probe import PROBE, Served, failure, serving

OURS = authority()
SOON = timedelta(milliseconds=50)


@asynccontextmanager
async def secured(files: TlsFiles, **options: Any) -> AsyncIterator[Served]:
    async with serving(tls=files, renew_every=SOON, **options) as served:
        yield served


@asynccontextmanager
async def client(
    served: Served, root: Pair = OURS, mine: Pair | None = None
) -> AsyncIterator[grpc.aio.Channel]:
    credentials = grpc.ssl_channel_credentials(
        root.pem, mine.key_pem() if mine else None, mine.pem if mine else None
    )
    options = [("grpc.use_local_subchannel_pool", 1)]
    address = f"127.0.0.1:{served.server.port}"
    async with grpc.aio.secure_channel(address, credentials, options) as channel:
        yield channel


def ask(channel: grpc.aio.Channel) -> Any:
    codec: dict[str, Any] = {"request_serializer": bytes, "response_deserializer": Note().parse}
    return channel.unary_unary(PROBE + "One", **codec)(Note(text="secret"), timeout=10)


async def presented(served: Served) -> bytes:
    """The certificate that a new caller is shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    _, writer = await asyncio.open_connection("127.0.0.1", served.server.port, ssl=context)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return ssl.DER_cert_to_PEM_cert(shown).encode()


async def shows(served: Served, pair: Pair) -> None:
    async with asyncio.timeout(10):
        while await presented(served) != pair.pem:
            await asyncio.sleep(0.02)


async def test_the_official_client_calls_over_tls(tmp_path: Path) -> None:
    files = written(tmp_path, signed_by(OURS, "server"))
    async with secured(files) as served, client(served) as channel:
        assert (await ask(channel)).text == "secret"
    async with secured(files) as served, client(served, authority("Other")) as channel:
        assert (await failure(ask(channel))).status == "UNAVAILABLE"


async def test_without_a_certificate_of_theirs_nobody_is_let_in(tmp_path: Path) -> None:
    theirs = authority("Of clients")
    files = written(tmp_path, signed_by(OURS, "server"), client_ca=theirs)
    async with secured(files) as served:
        async with client(served, mine=signed_by(theirs, "client")) as channel:
            assert (await ask(channel)).text == "secret"
        for stranger in (None, signed_by(OURS, "no client")):
            async with client(served, mine=stranger) as channel:
                assert (await failure(ask(channel))).status == "UNAVAILABLE"


async def probed(served: Served, identity: tuple[Path, Path] | None) -> str:
    assert served.server.port
    return await status_of("127.0.0.1", served.server.port, 3.0, identity)


async def test_the_containers_own_question_is_answered_over_tls(tmp_path: Path) -> None:
    files = written(tmp_path, signed_by(OURS, "server"))
    own = files.cert, files.key
    async with secured(files) as served:
        assert await probed(served, own) == "SERVING"
        assert await probed(served, None) != "SERVING"
        assert await probed(served, (files.cert, tmp_path / "none.pem")) == "FileNotFoundError"
    async with secured(written(tmp_path, signed_by(OURS, "server"), client_ca=OURS)) as served:
        assert await probed(served, own) == "SERVING"
    strict = written(tmp_path, signed_by(OURS, "server"), client_ca=authority("Of clients"))
    async with secured(strict) as served:
        assert await probed(served, own) != "SERVING"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_versions_before_1_2_are_refused(tmp_path: Path, version: ssl.TLSVersion) -> None:
    async with secured(written(tmp_path, signed_by(OURS, "server"))) as served:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.set_alpn_protocols(["http/1.1", "h2"])
        context.maximum_version = context.minimum_version = version
        opening = asyncio.open_connection("127.0.0.1", served.server.port, ssl=context)
        if version < ssl.TLSVersion.TLSv1_2:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await opening
            return
        _, writer = await opening
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        writer.transport.abort()


async def test_a_handshake_that_never_ends_holds_no_connection(tmp_path: Path) -> None:
    files = written(tmp_path, signed_by(OURS, "server"))
    async with secured(files, limits=replace(Limits(), greeting=0.3)) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.server.port)
        writer.write(b"\x16\x03\x01")
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()


async def test_a_new_certificate_is_shown_to_newcomers_and_nobody_is_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    first, second = signed_by(OURS, "first"), signed_by(OURS, "second")
    async with secured(written(tmp_path, first)) as served, client(served) as channel:
        port = served.server.port
        going_on = channel.stream_stream(
            PROBE + "Both", request_serializer=bytes, response_deserializer=Note().parse
        )()
        await going_on.write(Note(text="before"))
        assert (await going_on.read()).text == "before"
        await shows(served, first)
        written(tmp_path, second)
        await shows(served, second)
        await going_on.write(Note(text="after"))
        assert (await going_on.read()).text == "after"
        assert served.server.port == port
        await going_on.done_writing()
        assert "Certificate renewed" in [record.message for record in caplog.records]


async def test_files_that_do_not_fit_leave_the_former_in_use_until_they_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = signed_by(OURS, "first"), signed_by(OURS, "second")
    files = written(tmp_path, first)
    async with secured(files) as served:
        files.cert.write_bytes(second.pem)
        await until(lambda: "Certificate kept" in caplog.text)
        assert "GRPC_TLS_KEY: must be the key of the certificate" in caplog.text
        assert await presented(served) == first.pem
        await asyncio.sleep(0.2)
        assert caplog.text.count("Certificate kept") == 1
        files.key.write_bytes(second.key_pem())
        await shows(served, second)


async def test_who_signs_clients_changes_with_its_file(tmp_path: Path) -> None:
    former, present = authority("Former"), authority("Present")
    ours = signed_by(OURS, "server")
    async with secured(written(tmp_path, ours, client_ca=former)) as served:
        async with client(served, mine=signed_by(former, "client")) as channel:
            assert (await ask(channel)).text == "secret"
            written(tmp_path, ours, client_ca=present)
            async with asyncio.timeout(10):
                while not await is_let_in(served, signed_by(present, "client")):
                    await asyncio.sleep(0.02)
            assert (await ask(channel)).text == "secret"
        assert not await is_let_in(served, signed_by(former, "client"))


async def is_let_in(served: Served, mine: Pair) -> bool:
    async with client(served, mine=mine) as channel:
        try:
            return bool(await ask(channel))
        except grpc.aio.AioRpcError:
            return False


async def test_a_stop_while_files_change_leaves_nobody_listening(tmp_path: Path) -> None:
    async with secured(written(tmp_path, signed_by(OURS, "server"))) as served:
        written(tmp_path, signed_by(OURS, "other"))
        port = served.server.port
        await asyncio.sleep(SOON.total_seconds())
        await served.server.stop(timedelta(0))
        await asyncio.sleep(0.1)
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", port)


@pytest.mark.parametrize(
    ("name", "content", "setting"),
    [
        ("cert.pem", None, "GRPC_TLS_CERT"),
        ("key.pem", None, "GRPC_TLS_KEY"),
        ("cert.pem", b"no certificate", "GRPC_TLS_CERT"),
        ("key.pem", b"no key", "GRPC_TLS_CERT"),
        ("key.pem", authority().key_pem(), "GRPC_TLS_KEY"),
        ("key.pem", authority().key_pem(b"passphrase"), "GRPC_TLS_CERT"),
        ("ca.pem", None, "GRPC_TLS_CLIENT_CA"),
        ("ca.pem", b"", "GRPC_TLS_CLIENT_CA"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_mend(
    tmp_path: Path, name: str, content: bytes | None, setting: str
) -> None:
    files = written(tmp_path, signed_by(OURS, "server"), client_ca=OURS)
    path = tmp_path / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(BadCertificate, match=f"^{setting}: must be "):
        files.context()
