"""The sender of webhooks over real sockets: bounded, unmoved by redirects, and never led inside."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import pytest
import pytest_asyncio

from service.core.destinations import Destinations
from service.core.ports import HookAnswer, HookFailed
from service.infra import hooks
from service.infra.hooks import HttpHooks
from tests.support.certificates import authority, signed_by, written
from tests.support.clock import MovingClock
from tests.support.receivers import OK, Answer, Receiver, Write, receiving, status

LOOPBACK = Destinations.besides([ip_network("127.0.0.0/8")])


@pytest_asyncio.fixture
async def sender() -> AsyncIterator[HttpHooks]:
    sender = HttpHooks(LOOPBACK)
    yield sender
    await sender.close()


async def failure(sender: HttpHooks, url: str) -> str:
    with pytest.raises(HookFailed) as refused:
        await sender.send(url, {}, b"{}")
    return refused.value.reason


async def test_a_message_is_posted_as_it_is_and_the_connection_is_kept(sender: HttpHooks) -> None:
    async with receiving() as receiver:
        for number in range(3):
            said = await sender.send(receiver.url, {"webhook-id": f"{number}"}, b'{"a": 1}')
            assert said == HookAnswer(200)
    assert [each.body for each in receiver.received] == [b'{"a": 1}'] * 3
    assert receiver.ids == ["0", "1", "2"]
    assert receiver.received[0].headers["host"] == f"127.0.0.1:{receiver.port}"
    assert receiver.received[0].headers["user-agent"] == "Arcana-Webhooks"
    assert receiver.connections == 1


@pytest.mark.parametrize("code", [200, 202, 204, 299])
async def test_any_2xx_is_taken(sender: HttpHooks, code: int) -> None:
    async with receiving(status(code)) as receiver:
        assert (await sender.send(receiver.url, {}, b"{}")).is_taken


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_no_way_to_go(sender: HttpHooks, code: int) -> None:
    async with receiving() as inside, receiving() as receiver:
        receiver.answers = [status(code, f"location: {inside.url}")]
        said = await sender.send(receiver.url, {}, b"{}")
    assert (said.status, said.is_taken) == (code, False)
    assert inside.received == []


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("3600", 3600),
        ("999999999999999999", 3600),
        ("Sat, 14 Mar 2026 15:10:26 GMT", 60),
        ("Sat, 14 Mar 2099 15:10:26 GMT", 3600),
        ("Sat, 14 Mar 2020 15:10:26 GMT", None),
        ("0", None),
        ("-5", None),
        ("soon", None),
        ("٣", None),
    ],
)
async def test_how_long_to_wait_is_read_and_bounded(value: str, seconds: int | None) -> None:
    clock = MovingClock(datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC))
    sender = HttpHooks(LOOPBACK, clock=clock)
    async with receiving(status(503, f"retry-after: {value}")) as receiver:
        said = await sender.send(receiver.url, {}, b"{}")
    await sender.close()
    assert said.status == 503
    assert (said.retry_after.total_seconds() if said.retry_after else None) == seconds


# Bounds


async def never(_: Write) -> None:
    await asyncio.sleep(60)


async def drips(write: Write) -> None:
    for letter in b"HTTP/1.1 200 OK\r\nx: " + b"x" * 600:
        await write(bytes([letter]))
        await asyncio.sleep(0.02)


async def half_a_head(write: Write) -> None:
    await write(b"HTTP/1.1 200 OK\r\ncontent-le")


async def nonsense(write: Write) -> None:
    await write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


async def endless_head(write: Write) -> None:
    await write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(10_000):
        await write(b"x-more: " + b"x" * 100 + b"\r\n")


async def nothing(_: Write) -> None:
    pass


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (never, "no answer in time"),
        (drips, "no answer in time"),
        (half_a_head, "the answer was no HTTP/1.1"),
        (nonsense, "the answer was no HTTP/1.1"),
        (endless_head, "the answer was no HTTP/1.1"),
        (nothing, "the answer was no HTTP/1.1"),
    ],
)
async def test_who_is_slow_or_speaks_no_http_has_not_answered(
    sender: HttpHooks, monkeypatch: pytest.MonkeyPatch, answer: Answer, reason: str
) -> None:
    monkeypatch.setattr(hooks, "WHOLE", 0.5 if "in time" in reason else 10)
    async with receiving(answer) as receiver:
        assert await failure(sender, receiver.url) == reason


async def huge(write: Write) -> None:
    await write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
    while True:  # it would never end if somebody read it
        await write(b"x" * 65536)


async def half_a_body(write: Write) -> None:
    await write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")


async def late_body(write: Write) -> None:
    await write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")
    await asyncio.sleep(60)


@pytest.mark.parametrize("answer", [huge, half_a_body, late_body])
async def test_the_head_of_an_answer_says_it_all(
    sender: HttpHooks, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    monkeypatch.setattr(hooks, "BODY_WAIT", 0.2)
    async with receiving(answer, OK) as receiver:
        async with asyncio.timeout(5):
            assert (await sender.send(receiver.url, {}, b"{}")).is_taken
            assert (await sender.send(receiver.url, {}, b"{}")).is_taken
    assert receiver.connections == 2, "what is left of such a body is nobody's next answer"


async def test_nobody_at_home_is_said_without_an_address(sender: HttpHooks) -> None:
    async with receiving() as receiver:
        pass
    assert await failure(sender, receiver.url) == "no connection"
    assert await failure(sender, "http://nowhere.invalid/") == "the host's name leads nowhere"


# Where a name leads


class Names:
    """Says of every name what it was told to, and the next thing the next time."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers, self.asked = list(answers), list[str]()

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        del port
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["8.8.8.8", "127.0.0.1"],
        ["127.0.0.1", "8.8.8.8"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["fe80::1%lo"],
        ["169.254.169.254"],
        ["no address"],
    ],
)
async def test_a_name_that_leads_inside_leads_nowhere(addresses: list[str]) -> None:
    async with receiving() as receiver:
        sender = HttpHooks(resolve=Names(addresses))
        reason = await failure(sender, f"http://evil.example:{receiver.port}/")
        await sender.close()
    assert reason == "the host's address is not public"
    assert receiver.connections == 0


async def test_a_private_address_is_refused_as_it_stands_too() -> None:
    async with receiving() as receiver:
        sender = HttpHooks()
        for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"):
            reason = await failure(sender, f"http://{host}:{receiver.port}/")
            assert reason in ("the host's address is not public", "the host's name leads nowhere")
        await sender.close()
    assert receiver.connections == 0


async def test_a_name_is_asked_for_once_and_what_was_checked_is_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS that says something else a moment later (rebinding) is not asked a moment later."""
    names = Names(["127.0.0.2"], ["127.0.0.1"])
    sender = HttpHooks(Destinations.besides([ip_network("127.0.0.2/32")]), resolve=names)

    async def asked_again(*_: object, **__: object) -> None:
        raise AssertionError("the name was asked for twice")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", asked_again, raising=False)
    server = await asyncio.start_server(Receiver().serve, "127.0.0.2", 0)
    port = server.sockets[0].getsockname()[1]
    assert (await sender.send(f"http://rebinds.example:{port}/", {}, b"{}")).is_taken
    assert names.asked == ["rebinds.example"]
    server.close()
    await sender.close()
    reason = await failure(sender, f"http://rebinds.example:{port}/")
    assert reason == "the host's address is not public"
    await sender.close()


async def test_when_the_first_address_does_not_answer_the_next_is_tried() -> None:
    async with receiving() as receiver:
        sender = HttpHooks(LOOPBACK, resolve=Names(["127.0.0.9", "127.0.0.1"]))
        assert (await sender.send(f"http://two.example:{receiver.port}/", {}, b"{}")).is_taken
        await sender.close()


async def test_a_resolver_that_never_answers_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def hangs(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    monkeypatch.setattr(hooks, "CONNECT", 0.1)
    assert await failure(HttpHooks(resolve=hangs), "http://x.example/") == "no connection in time"


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as proxy, receiving() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        sender = HttpHooks(LOOPBACK)
        assert (await sender.send(receiver.url, {}, b"{}")).is_taken
        await sender.close()
    assert (proxy.connections, receiver.connections) == (0, 1)


# TLS


async def test_tls_goes_by_the_name_whatever_address_it_has(tmp_path: Path) -> None:
    ca = authority()
    files = written(tmp_path, signed_by(ca, "receiver"))
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(files.cert, files.key)
    trusting = ssl.create_default_context(cadata=ca.pem.decode())
    names = Names(["127.0.0.1"])
    async with receiving(tls=served) as receiver:
        sender = HttpHooks(LOOPBACK, tls=trusting, resolve=names)
        assert (await sender.send(f"https://localhost:{receiver.port}/", {}, b"{}")).is_taken
        assert (await sender.send(receiver.url, {}, b"{}")).is_taken
        reason = await failure(sender, f"https://another.example:{receiver.port}/")
        assert reason == "the certificate is not good"
        await sender.close()
        sender = HttpHooks(LOOPBACK, resolve=names)
        assert await failure(sender, receiver.url) == "the certificate is not good"
        await sender.close()
    assert len(receiver.received) == 2


async def test_plain_text_where_tls_is_wanted_is_no_tls(sender: HttpHooks) -> None:
    async with receiving(nonsense) as receiver:
        server = await asyncio.start_server(_greets, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        assert await failure(sender, f"https://127.0.0.1:{port}/") == "TLS failed"
        server.close()
    assert receiver.received == []


async def _greets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example ESMTP\r\n")
    await writer.drain()
    await reader.read(100)
    writer.close()
