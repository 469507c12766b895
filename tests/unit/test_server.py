"""What is refused before any worker starts."""

import pytest

from config.settings import Purpose, Settings, SettingsError
from service import server
from tests.support.live import SECRET
from tests.support.processes import free_ports


def settings(**chosen: object) -> Settings:
    http, rpc, metrics = free_ports(3)
    ports = {"http_port": http, "grpc_port": rpc, "metrics_port": metrics}
    return Settings(jwt_secret=SECRET, **ports, **chosen)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wanted", [{"tracing": True}, {"otel_exporter_otlp_endpoint": "http://127.0.0.1:4318"}]
)
def test_traces_without_what_makes_them_stop_the_start(
    monkeypatch: pytest.MonkeyPatch, wanted: dict[str, object]
) -> None:
    monkeypatch.setattr(server, "is_installed", lambda: False)
    with (
        pytest.raises(SettingsError, match=r"^TRACING: .* pip install 'arcana\[tracing\]'"),
        server.open_doors(settings(**wanted)),
    ):
        raise AssertionError("it opened")
    with server.open_doors(settings(**{**wanted, "tracing": False})) as doors:
        assert doors.metrics is not None


def test_metrics_without_a_folder_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> None:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(server, "metrics_folder", nowhere)
    chosen = settings()
    with (
        server.open_doors(chosen) as doors,
        pytest.raises(SettingsError, match=r"^METRICS_PORT: .* METRICS_PORT=off"),
    ):
        server.serve(chosen, Purpose.RUN, doors)


def test_off_opens_nothing() -> None:
    chosen = settings().model_copy(update={"metrics_port": None})
    with server.open_doors(chosen) as doors:
        assert doors.metrics is None
