"""Directory sync on three databases: what a directory has in the end is the newest state."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from arcana_protos.sync import PushUserRequest, PushUserResponse
from arcana_protos.user import UserResponse
from grpclib import GRPCError
from grpclib.const import Status
from grpclib.server import Server

from docs.examples.sync_receiver import Receiver
from service.core import metrics
from service.core.access import SYSTEM
from service.core.directories import Directory
from service.core.events import SinkRefused
from service.events.repository import EventRepository
from service.sync.client import ClientTls, DirectoryClient
from service.sync.repository import SyncRepository
from service.sync.service import Retried
from service.sync.sink import DirectorySink, Pushed
from service.users.schemas import UserView
from tests.support.certificates import authority, signed_by
from tests.support.databases import Backend, fresh_database
from tests.support.fakes import FakeMeter
from tests.support.live import Live, live_service
from tests.support.relaying import relaying
from tests.support.servers import free_port

QUICK = tuple(timedelta(seconds=0.1) for _ in range(3))
PATIENT = tuple(timedelta(seconds=0.1) for _ in range(100))


class Odd(Receiver):
    """Refuses and delays as it is told, and notes what it was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.fault: Callable[[], Status | None] = lambda: None
        self.delay = 0.0
        self.sent: list[PushUserRequest] = []
        self.at_once = self.most = 0

    async def push_user(self, message: PushUserRequest) -> PushUserResponse:
        self.sent.append(message)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await asyncio.sleep(self.delay)
        finally:
            self.at_once -= 1
        if status := self.fault():
            raise GRPCError(status)
        return await super().push_user(message)


@asynccontextmanager
async def directory(
    receiver: Receiver, port: int, tls: ssl.SSLContext | None = None
) -> AsyncIterator[None]:
    server = Server([receiver])
    await server.start("127.0.0.1", port, ssl=tls)
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


@dataclass
class Scene:
    live: Live
    odd: Odd
    port: int
    client: DirectoryClient

    def sink(
        self,
        schedule: Sequence[timedelta],
        name: str = "crm",
        all_: Sequence[str] = ("sync:crm",),
        pushed: Pushed | None = None,
    ) -> DirectorySink:
        one = Directory(name, "127.0.0.1", self.port, tls=False)
        known = pushed or Pushed()
        return DirectorySink(one, self.client, SyncRepository(), known, all_, schedule=schedule)

    async def becomes(self, user_id: str, status: str) -> None:
        query = f"SELECT sync_status FROM users WHERE id = '{user_id}'"
        found = ""
        async with asyncio.timeout(20):
            while found != status:
                (row,) = await self.live.database.client.execute_query_dict(query)
                found = row["sync_status"]
                await asyncio.sleep(0.03)


@pytest.fixture(scope="module")
def url(backend: Backend) -> Iterator[str]:
    with fresh_database(backend) as url:
        yield url


@pytest_asyncio.fixture
async def scene(url: str) -> AsyncIterator[Scene]:
    port = free_port()
    target = Directory("crm", "127.0.0.1", port, tls=False)
    client = DirectoryClient(target, ClientTls(), deadline=0.5)
    async with live_service(url, sync_targets=f"crm=grpc://127.0.0.1:{port}") as live:
        yield Scene(live, Odd(), port, client)
    client.close()


async def test_a_change_is_pending_until_the_directory_has_it(scene: Scene) -> None:
    ada = await scene.live.people.make("Ada")
    await scene.becomes(ada.id, "pending")
    sink = scene.sink(PATIENT)
    async with relaying(scene.live.database, sink), directory(scene.odd, scene.port):
        for name in ("A", "B", "C"):
            await scene.live.services.users.update(SYSTEM, ada.id, {"name": name})
        await scene.becomes(ada.id, "synced")
        user = scene.odd.users[ada.id]
        assert user is not None
        assert (user.name, scene.odd.versions[ada.id]) == ("C", 4)
        await scene.live.services.users.update_profile(SYSTEM, ada.id, {"bio": "x"})
        await scene.live.services.roles.grant(SYSTEM, ada.id, "service")
        await scene.becomes(ada.id, "synced")
        assert (scene.odd.users[ada.id] or UserResponse()).roles == ["service", "user"]
        await scene.live.services.users.delete(SYSTEM, ada.id)
        async with asyncio.timeout(10):
            while scene.odd.users[ada.id] is not None:
                await asyncio.sleep(0.02)
    versions = [sent.version for sent in scene.odd.sent]
    assert versions == sorted(versions)


@pytest.mark.one_database
async def test_a_directory_that_is_down_slow_or_failing_gets_it_in_the_end(scene: Scene) -> None:
    sink = scene.sink(PATIENT)
    async with relaying(scene.live.database, sink):
        ada = await scene.live.people.make("Ada")
        await asyncio.sleep(0.5)
        scene.odd.delay = 2
        async with directory(scene.odd, scene.port):
            await asyncio.sleep(1)
            scene.odd.delay = 0
            answers = [Status.INTERNAL, Status.UNAVAILABLE, None]
            scene.odd.fault = lambda: answers.pop(0) if len(answers) > 1 else None
            await scene.becomes(ada.id, "synced")
    assert ada.id in scene.odd.users


async def test_who_was_given_up_is_failed_and_synced_after_a_retry(scene: Scene) -> None:
    scene.odd.fault = lambda: Status.INVALID_ARGUMENT
    sink, meter = scene.sink(QUICK), FakeMeter()
    with metrics.measured_by(meter):
        await _given_up_and_mended(scene, sink)
    pushes = {labels: n for (m, labels), n in meter.observed.items() if m is metrics.PUSHES}
    assert pushes == {("crm", "refused"): 1, ("crm", "taken"): 1}


async def _given_up_and_mended(scene: Scene, sink: DirectorySink) -> None:
    async with relaying(scene.live.database, sink), directory(scene.odd, scene.port):
        ada = await scene.live.people.make("Ada")
        await scene.becomes(ada.id, "failed")
        status = await scene.live.services.directories.status(SYSTEM)
        assert (status.counts["failed"], [str(i) for i in status.failed]) == (1, [ada.id])
        async with asyncio.timeout(10):
            while (await scene.live.services.directories.status(SYSTEM)).targets[0].dead != 1:
                await asyncio.sleep(0.05)
        scene.odd.fault = lambda: None
        await scene.live.services.directories.retry(SYSTEM, ada.id)
        await scene.becomes(ada.id, "synced")
        assert await EventRepository().parked("sync:crm") == []
        assert await scene.live.services.directories.retry_failed(SYSTEM) == Retried(0, 0)


async def test_a_deletion_that_was_given_up_is_counted_and_told_again(scene: Scene) -> None:
    sink, directories = scene.sink(QUICK), scene.live.services.directories
    async with relaying(scene.live.database, sink), directory(scene.odd, scene.port):
        ada = await scene.live.people.make("Ada")
        await scene.becomes(ada.id, "synced")
        scene.odd.fault = lambda: Status.INVALID_ARGUMENT
        await scene.live.services.users.delete(SYSTEM, ada.id)
        async with asyncio.timeout(10):
            while (await directories.status(SYSTEM)).targets[0].dead != 1:
                await asyncio.sleep(0.05)
        scene.odd.fault = lambda: None
        assert await directories.retry_failed(SYSTEM) == Retried(users=0, deletions=1)
        async with asyncio.timeout(10):
            while scene.odd.users[ada.id] is not None:
                await asyncio.sleep(0.02)


@pytest.mark.one_database
async def test_nothing_brings_a_deleted_user_back_to_a_directory() -> None:
    receiver, user = Receiver(), UserResponse(id="a")
    await receiver.push_user(PushUserRequest(user=user, version=5))
    await receiver.push_user(PushUserRequest(user=user, version=6, deleted=True))
    await receiver.push_user(PushUserRequest(user=user, version=6))
    await receiver.push_user(PushUserRequest(user=user, version=7))
    assert receiver.users == {"a": None}
    unseen = UserResponse(id="b")
    await receiver.push_user(PushUserRequest(user=unseen, version=2, deleted=True))
    await receiver.push_user(PushUserRequest(user=unseen, version=1))
    assert receiver.users == {"a": None, "b": None}


@pytest.mark.one_database
async def test_of_one_user_one_push_is_under_way(scene: Scene) -> None:
    sink = scene.sink(PATIENT)
    scene.odd.delay = 0.05
    async with relaying(scene.live.database, sink), directory(scene.odd, scene.port):
        ada = await scene.live.people.make("Ada")
        for number in range(10):
            await scene.live.services.users.update(SYSTEM, ada.id, {"name": f"A{number}"})
        await scene.becomes(ada.id, "synced")
    assert scene.odd.most == 1
    assert len(scene.odd.sent) <= 11


async def test_of_two_directories_both_must_have_it(scene: Scene) -> None:
    names, pushed, late = ("sync:crm", "sync:erp"), Pushed(), free_port()
    there = DirectoryClient(Directory("erp", "127.0.0.1", late, tls=False), ClientTls())
    first = scene.sink(PATIENT, "crm", names, pushed)
    one = Directory("erp", "127.0.0.1", late, tls=False)
    second = DirectorySink(one, there, SyncRepository(), pushed, names, schedule=PATIENT)
    async with directory(scene.odd, scene.port):
        async with relaying(scene.live.database, first, second):
            ada = await scene.live.people.make("Ada")
            async with asyncio.timeout(10):
                while ada.id not in scene.odd.users:
                    await asyncio.sleep(0.02)
            await asyncio.sleep(0.3)
            await scene.becomes(ada.id, "pending")
        # another process relays now, and remembers nothing
        again = scene.sink(PATIENT, "crm", names, Pushed())
        other = DirectorySink(one, there, SyncRepository(), Pushed(), names, schedule=PATIENT)
        async with relaying(scene.live.database, again, other), directory(Receiver(), late):
            await scene.becomes(ada.id, "synced")
    there.close()


@pytest.mark.one_database
async def test_a_directory_may_demand_our_certificate(scene: Scene, tmp_path: Path) -> None:
    ours, pair = authority(), None
    pair = signed_by(ours, "directory")
    known = signed_by(ours, "arcana")
    for name, content in {
        "ca.pem": ours.pem,
        "server.pem": pair.pem,
        "server-key.pem": pair.key_pem(),
        "arcana.pem": known.pem,
        "arcana-key.pem": known.key_pem(),
    }.items():
        (tmp_path / name).write_bytes(content)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server-key.pem")
    context.load_verify_locations(tmp_path / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    target = Directory("crm", "127.0.0.1", scene.port, tls=True)
    files = ClientTls(tmp_path / "ca.pem", tmp_path / "arcana.pem", tmp_path / "arcana-key.pem")
    good, bare = DirectoryClient(target, files), DirectoryClient(target, ClientTls(files.ca))
    ada = await scene.live.people.make("Ada")
    view: UserView = await scene.live.services.users.get(SYSTEM, ada.id)
    async with directory(scene.odd, scene.port, context):
        await good.push(view, "event")
        with pytest.raises(SinkRefused):
            await bare.push(view, "event")
        good.close()
        bare.close()
    assert [sent.user.id for sent in scene.odd.sent] == [ada.id]
