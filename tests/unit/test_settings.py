"""What settings are taken, what is refused, and that no value ever shows."""

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from config.settings import Purpose, Settings, SettingsError, load

ROOT = Path(__file__).resolve().parents[2]
SECRET = "a secret of the tests, long enough"
CANARY = "canary"


@pytest.fixture(autouse=True)
def _no_setting_of_the_caller_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def serve(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    for name, value in {"JWT_SECRET": SECRET, **values}.items():
        monkeypatch.setenv(name, value)
    return load(Purpose.SERVE)


def faults(monkeypatch: pytest.MonkeyPatch, **values: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        serve(monkeypatch, **values)
    assert str(caught.value).splitlines() == caught.value.faults
    return caught.value.faults


def test_a_secret_is_all_that_serving_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = serve(monkeypatch)
    assert (settings.http_host, settings.http_port, settings.grpc_port) == (
        "127.0.0.1",
        5000,
        50051,
    )
    assert settings.database_url == "sqlite://var/arcana.db"
    assert settings.redis_url is None
    assert settings.access_token_expiry == timedelta(hours=1)
    assert settings.refresh_token_expiry == timedelta(days=7)
    assert settings.session_lifetime == timedelta(days=90)
    assert settings.log_format == "json"


def test_serving_without_a_secret_stops_with_the_mend() -> None:
    with pytest.raises(SettingsError, match=r"^JWT_SECRET: must be set\. Make one with: python3"):
        load(Purpose.SERVE)


def test_a_short_secret_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = faults(monkeypatch, JWT_SECRET=CANARY)
    assert line.startswith("JWT_SECRET: must have at least 32 bytes")
    assert "python3 -c" in line


@pytest.mark.parametrize("algorithm", ["HS256", "EdDSA", "ES256", "RS256"])
def test_each_algorithm_may_be_chosen(monkeypatch: pytest.MonkeyPatch, algorithm: str) -> None:
    assert serve(monkeypatch, JWT_ALGORITHM=algorithm).jwt_algorithm == algorithm


def test_the_other_secret_must_be_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = faults(monkeypatch, JWT_SECRET_PREVIOUS=SECRET)
    assert line.startswith("JWT_SECRET_PREVIOUS: must differ from JWT_SECRET")
    assert serve(monkeypatch, JWT_SECRET_PREVIOUS=SECRET[::-1]).jwt_secret_previous


@pytest.mark.parametrize("blank", ["", " ", "\t\n", " " * 40])
def test_a_blank_secret_counts_as_none(monkeypatch: pytest.MonkeyPatch, blank: str) -> None:
    (line,) = faults(monkeypatch, JWT_SECRET=blank)
    assert line.startswith("JWT_SECRET: must be set")


def test_the_secret_is_measured_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert serve(monkeypatch, JWT_SECRET="ß" * 16)
    assert faults(monkeypatch, JWT_SECRET="ß" * 15 + "s")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "oracle://canary:canary@db/arcana"),
        ("DATABASE_URL", "canary"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "postgres://canary@db:port/arcana"),
        ("DATABASE_URL", "postgres://canary@db/"),
        ("DATABASE_URL", "mysql://canary:[@db/arcana"),
        ("REDIS_URL", "http://canary"),
        ("REDIS_URL", "redis://"),
        ("REDIS_URL", "redis://canary:99999999"),
        ("JWT_SECRET", CANARY),
        ("JWT_SECRET", "\udcff" * 40),
        ("JWT_ALGORITHM", "none"),
        ("JWT_ALGORITHM", "HS512"),
        ("JWT_ALGORITHM", "eddsa"),
        ("JWT_SECRET_PREVIOUS", CANARY),
        ("JWT_SECRET_PREVIOUS", SECRET),
        ("JWT_ISSUER", "canary canary"),
        ("ACCESS_TOKEN_EXPIRY", "0"),
        ("ACCESS_TOKEN_EXPIRY", "-1"),
        ("ACCESS_TOKEN_EXPIRY", "1e3"),
        ("ACCESS_TOKEN_EXPIRY", "9" * 5000),
        ("REFRESH_TOKEN_EXPIRY", "P1D"),
        ("HTTP_HOST", "canary canary"),
        ("HTTP_HOST", "127.0.0"),
        ("HTTP_HOST", "http://canary"),
        ("HTTP_PORT", "0"),
        ("HTTP_PORT", "65536"),
        ("HTTP_PORT", "٥٠٠٠"),
        ("GRPC_PORT", CANARY),
        ("METRICS_PORT", "0"),
        ("METRICS_PORT", "none"),
        ("METRICS_HOST", "canary canary"),
        ("TRACING", CANARY),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", CANARY),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://canary:4317"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318?canary"),
        ("WORKERS", "0"),
        ("WORKERS", "1_0"),
        ("DB_POOL_SIZE", "-5"),
        ("CACHE_TTL", "0"),
        ("CACHE_PREFIX", "canary*"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "null"),
        ("CORS_ORIGINS", '["https://app.example.com", 1]'),
        ("CORS_ORIGINS", '["https://canary'),
        ("CORS_ORIGINS", "https://app.example.com/"),
        ("CORS_ORIGINS", "https://app.example.com/canary"),
        ("CORS_ORIGINS", "https://canary@app.example.com"),
        ("CORS_ORIGINS", "https://*.example.com"),
        ("CORS_ORIGINS", "ftp://canary"),
        ("TRUSTED_PROXIES", CANARY),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("TRUSTED_PROXIES", "0.0.0.0/0"),
        ("TRUSTED_PROXIES", "::/0"),
        ("RELAY", CANARY),
        ("EVENT_SOURCE", "canary canary"),
        ("EVENT_SOURCE", "https://[canary"),
        ("EVENT_STREAM", "canary stream"),
        ("EVENT_STREAM_LENGTH", "0"),
        ("EVENT_STREAM_LENGTH", "1e5"),
        ("WEBHOOK_HOSTS", f"{CANARY}/path"),
        ("WEBHOOK_HOSTS", "10.0.0.1/8"),
        ("WEBHOOK_HOSTS", "0.0.0.0/0"),
        ("WEBHOOK_HOSTS", "a,https://b"),
        ("WEBHOOK_HOSTS", "127.1"),
        ("WEBHOOK_HOSTS", "[7]"),
        ("REGISTRATION", CANARY),
        ("RATE_LIMITS", CANARY),
        ("DEBUG", CANARY),
        ("LOG_FORMAT", CANARY),
        ("LOG_LEVEL", CANARY),
        ("ADMIN_EMAIL", CANARY),
    ],
)
def test_one_line_names_the_setting_and_never_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    if name == "ADMIN_EMAIL":
        monkeypatch.setenv("ADMIN_PASSWORD", CANARY)
    (line,) = faults(monkeypatch, **{name: value})
    assert line.startswith(f"{name}: ")
    assert CANARY not in line


@pytest.mark.parametrize(
    ("values", "start"),
    [
        ({"WORKERS": "2"}, "WORKERS: more than one worker needs Redis"),
        (
            {"WORKERS": "2", "REDIS_URL": "redis://h", "DATABASE_URL": "sqlite://:memory:"},
            "WORKERS: workers can't share a database in memory",
        ),
        ({"RATE_LIMITS": "off", "HTTP_HOST": "0.0.0.0"}, "RATE_LIMITS: may be off only"),
        ({"RATE_LIMITS": "off", "HTTP_HOST": "arcana.internal"}, "RATE_LIMITS: may be off only"),
        ({"GRPC_PORT": "5000"}, "GRPC_PORT: must differ from HTTP_PORT"),
        (
            {"METRICS_PORT": "5000"},
            "METRICS_PORT: must differ from HTTP_PORT and GRPC_PORT: set another port, or off",
        ),
        ({"EVENT_STREAM": "arcana:events"}, "EVENT_STREAM: a stream needs Redis: set REDIS_URL"),
        ({"ADMIN_EMAIL": "a@example.com"}, "ADMIN_PASSWORD: must be set too"),
        ({"ADMIN_PASSWORD": CANARY}, "ADMIN_EMAIL: must be set too"),
        ({"REFRESH_TOKEN_EXPIRY": "60"}, "REFRESH_TOKEN_EXPIRY: must not be shorter"),
        ({"SESSION_LIFETIME": "604799"}, "SESSION_LIFETIME: must not be shorter"),
    ],
)
def test_settings_that_do_not_fit_together_stop_the_start(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], start: str
) -> None:
    (line,) = faults(monkeypatch, **values)
    assert line.startswith(start)
    assert CANARY not in line


def test_events_are_relayed_by_development_and_left_to_the_worker_in_production(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert not serve(monkeypatch).relay
    assert load(Purpose.RUN, tmp_path).relay
    assert not load(Purpose.TOOL, tmp_path).relay
    monkeypatch.setenv("RELAY", "on")
    assert serve(monkeypatch).relay
    monkeypatch.setenv("RELAY", "off")
    assert not load(Purpose.RUN, tmp_path).relay


def test_a_stream_is_off_until_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert serve(monkeypatch).event_stream is None
    chosen = serve(monkeypatch, REDIS_URL="redis://h", EVENT_STREAM="arcana:events")
    assert (chosen.event_stream, chosen.event_stream_length) == ("arcana:events", 100_000)


def test_every_fault_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = faults(monkeypatch, JWT_SECRET="", HTTP_PORT="x", WORKERS="x", DATABASE_URL="x")
    assert sorted(line.partition(":")[0] for line in lines) == [
        "DATABASE_URL",
        "HTTP_PORT",
        "JWT_SECRET",
        "WORKERS",
    ]


def test_good_values_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = serve(
        monkeypatch,
        DATABASE_URL="postgresql://ada:p%40ss@[::1]:5432/arcana",
        REDIS_URL="rediss://:secret@cache:6380/1",
        HTTP_HOST="[::1]",
        RATE_LIMITS="off",
        REGISTRATION="Closed",
        CORS_ORIGINS="https://App.example.com:443, http://localhost:3000,",
        TRUSTED_PROXIES='["10.0.0.0/8", "::1"]',
        WEBHOOK_HOSTS="Hooks.Internal, 10.20.0.0/16,192.168.7.9, [::1]",
        ADMIN_EMAIL="Ada@Example.com ",
        ADMIN_PASSWORD=" spaces stay ",
        DEBUG="1",
    )
    assert settings.database_url == "postgres://ada:p%40ss@[::1]:5432/arcana"
    assert (settings.http_host, settings.rate_limits) == ("::1", False)
    assert settings.registration == "closed"
    assert settings.cors_origins == ("https://app.example.com", "http://localhost:3000")
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1"))
    networks = ("10.20.0.0/16", "192.168.7.9/32", "::1/128")
    assert settings.webhook_hosts == ("hooks.internal", *map(ip_network, networks))
    assert settings.admin_email == "ada@example.com"
    assert settings.admin_password is not None
    assert settings.admin_password.get_secret_value() == " spaces stay "
    assert settings.log_level == "debug"


@pytest.mark.parametrize("url", ["mariadb://h/n", "mysql://h/n", "postgres:///n?host=/run/pg"])
def test_databases_by_their_other_names_and_sockets(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    kept = serve(monkeypatch, DATABASE_URL=url).database_url
    assert kept == url.replace("mariadb", "mysql")


def test_secrets_do_not_show_in_the_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = serve(
        monkeypatch,
        DATABASE_URL="mysql://root:canary@db/arcana",
        REDIS_URL="redis://:canary@cache",
        ADMIN_EMAIL="canary@example.com",
        ADMIN_PASSWORD=CANARY,
    )
    assert CANARY not in f"{settings!r} {settings}"
    assert SECRET not in f"{settings!r} {settings}"


def test_settings_made_in_code_do_not_read_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PORT", "6000")
    assert Settings.model_validate({"jwt_secret": SECRET}).http_port == 5000


def test_development_reads_a_dotenv_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("HTTP_PORT=6000\nGRPC_PORT=6001\nWORKERS=\nOTHER=x\n")
    monkeypatch.setenv("GRPC_PORT", "6002")
    settings = load(Purpose.RUN, tmp_path)
    assert (settings.http_port, settings.grpc_port, settings.workers) == (6000, 6002, 1)
    assert settings.log_format == "text"


def test_a_blank_in_the_environment_does_not_hide_the_dotenv(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("HTTP_PORT=6000\n")
    monkeypatch.setenv("HTTP_PORT", "  ")
    assert load(Purpose.RUN, tmp_path).http_port == 6000


def test_serving_reads_no_dotenv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"HTTP_PORT=6000\nJWT_SECRET={SECRET}\n")
    with pytest.raises(SettingsError, match="JWT_SECRET: must be set"):
        load(Purpose.SERVE, tmp_path)
    monkeypatch.setenv("JWT_SECRET", SECRET)
    assert load(Purpose.SERVE, tmp_path).http_port == 5000


def test_an_unreadable_dotenv_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"NAME=\xff\xfe")
    with pytest.raises(SettingsError, match=r"\.env: can't be read"):
        load(Purpose.RUN, tmp_path)


def test_development_makes_a_secret_and_keeps_it(tmp_path: Path) -> None:
    first, second = load(Purpose.RUN, tmp_path), load(Purpose.RUN, tmp_path)
    kept = tmp_path / "var" / "jwt_secret"
    assert first.jwt_secret == second.jwt_secret
    assert load(Purpose.TOOL, tmp_path).jwt_secret == first.jwt_secret
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert list(kept.parent.iterdir()) == [kept]


def test_a_kept_secret_that_others_could_read_is_closed(tmp_path: Path) -> None:
    load(Purpose.RUN, tmp_path)
    kept = tmp_path / "var" / "jwt_secret"
    kept.chmod(0o644)
    load(Purpose.RUN, tmp_path)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_of_processes_that_start_at_once_all_have_one_secret(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from config.settings import *;"
        "print(load(Purpose.RUN, pathlib.Path(sys.argv[1])).jwt_secret.get_secret_value())"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]

    def secret(_: int) -> str:
        return subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True).stdout

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(secret, range(4)))) == 1


def test_a_tool_writes_nothing_and_needs_no_secret(tmp_path: Path) -> None:
    assert load(Purpose.TOOL, tmp_path).jwt_secret != load(Purpose.TOOL, tmp_path).jwt_secret
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"canary", b"", b"\xff" * 40])
@pytest.mark.parametrize("purpose", [Purpose.RUN, Purpose.TOOL])
def test_a_kept_secret_of_no_use_is_named_with_its_mend(
    tmp_path: Path, content: bytes, purpose: Purpose
) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "jwt_secret").write_bytes(content)
    with pytest.raises(SettingsError, match=r"^JWT_SECRET: .*var/jwt_secret") as caught:
        load(purpose, tmp_path)
    assert CANARY not in str(caught.value)


def test_a_place_that_keeps_no_secret_is_named(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file, not a folder")
    with pytest.raises(SettingsError, match=r"^JWT_SECRET: can't be kept in .*: set it"):
        load(Purpose.RUN, tmp_path)


@pytest.mark.parametrize(("value", "port"), [("off", None), (" OFF ", None), ("9999", 9999)])
def test_metrics_can_be_switched_off(
    monkeypatch: pytest.MonkeyPatch, value: str, port: int | None
) -> None:
    assert serve(monkeypatch, METRICS_PORT=value).metrics_port == port


def test_the_example_documents_every_setting_with_its_default() -> None:
    lines = (ROOT / "config" / ".env.example").read_text().splitlines()
    pairs = [line.removeprefix("#") for line in lines if line[:1] == "#" and line[1:2].isupper()]
    example = dict(pair.split("=", 1) for pair in pairs)
    assert sorted(example) == sorted(name.upper() for name in Settings.model_fields)
    given = {name.lower(): value for name, value in example.items()} | {"jwt_secret": SECRET}
    assert Settings.model_validate(given) == Settings.model_validate({"jwt_secret": SECRET})
