"""How directories are named, and what settings about them are refused."""

from uuid import uuid4

import pytest

from config.settings import Purpose, Settings, SettingsError, load
from service.core.directories import Directory
from service.core.events import Despairing
from service.sync.client import ClientTls, DirectoryClient
from service.sync.repository import SyncRepository
from service.sync.sink import DirectorySink, Pushed
from tests.support.sinks import NotingSink

SECRET = "a secret of the tests, longer than 32 bytes"


def test_a_directory_is_a_name_and_an_address() -> None:
    found = Directory.read(" crm=grpcs://crm.internal:7443")
    assert found == Directory("crm", "crm.internal", 7443, tls=True)
    assert found.sink == "sync:crm"
    assert Directory.read("a=grpc://[::1]:1") == Directory("a", "::1", 1, tls=False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "crm",
        "crm=http://a:1",
        "crm=grpc://a",
        "crm=grpc://a:0",
        "crm=grpc://a:65536",
        "CRM=grpc://a:1",
        "crm=grpc://a:1/x",
        "crm=grpc://a:１",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Directory.read(text)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("SYNC_TARGETS", {"SYNC_TARGETS": "crm"}),
        ("SYNC_TARGETS", {"SYNC_TARGETS": "a=grpc://x:1,a=grpc://y:1"}),
        ("SYNC_TLS_KEY", {"SYNC_TARGETS": "a=grpcs://x:1", "SYNC_TLS_CERT": "c.pem"}),
        ("SYNC_TLS_CERT", {"SYNC_TARGETS": "a=grpcs://x:1", "SYNC_TLS_KEY": "k.pem"}),
        ("SYNC_TARGETS", {"SYNC_TARGETS": "a=grpc://x:1", "SYNC_TLS_CA": "ca.pem"}),
    ],
)
def test_settings_that_do_not_fit_are_refused_by_name(
    name: str, given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for setting, value in {"JWT_SECRET": SECRET, **given}.items():
        monkeypatch.setenv(setting, value)
    with pytest.raises(SettingsError) as refused:
        load(Purpose.SERVE)
    assert [fault.partition(":")[0] for fault in refused.value.faults] == [name]


def test_targets_are_a_list() -> None:
    targets = "crm=grpcs://crm:1, erp=grpc://erp:2"
    settings = Settings(jwt_secret=SECRET, sync_targets=targets)
    assert [target.name for target in settings.sync_targets] == ["crm", "erp"]


def test_only_some_sinks_are_told_what_is_given_up() -> None:
    one = Directory("crm", "a", 1, tls=False)
    push = DirectoryClient(one, ClientTls())
    sink = DirectorySink(one, push, SyncRepository(), Pushed(), [one.sink])
    assert isinstance(sink, Despairing)
    assert not isinstance(NotingSink(), Despairing)


def test_of_many_users_the_last_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.sync.sink.REMEMBERED", 2)
    pushed, ids = Pushed(), [uuid4() for _ in range(3)]
    for id_ in ids:
        pushed.note("sync:crm", id_, 3)
        pushed.note("sync:crm", id_, 2)
    assert [pushed.of("sync:crm", id_) for id_ in ids] == [0, 3, 3]
