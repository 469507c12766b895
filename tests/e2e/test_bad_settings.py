"""A setting that is missing or unsafe stops the start with one clear line, and no secret."""

import re
import socket
from pathlib import Path

import pytest

from tests.support.processes import SECRET, free_ports, manage

HIDDEN = "hunter2"
LOG_LINE = re.compile(r"\{\"ts\":|\d{4}-\d\d-\d\dT")
"""What the log says besides, such as that the database does not answer."""

pytestmark = pytest.mark.slow

BAD: dict[str, tuple[str, dict[str, str], str]] = {
    "a short secret": ("serve", {"JWT_SECRET": f"{HIDDEN}-short"}, "JWT_SECRET"),
    "no secret": ("serve", {"JWT_SECRET": ""}, "JWT_SECRET"),
    "an unknown scheme": (
        "serve",
        {"DATABASE_URL": f"oracle://ada:{HIDDEN}@127.0.0.1/arcana"},
        "DATABASE_URL",
    ),
    "a database that is not there": (
        "serve",
        {"DATABASE_URL": f"postgres://ada:{HIDDEN}@127.0.0.1:1/arcana"},
        "DATABASE_URL",
    ),
    "a database that is not there, in development": (
        "run",
        {"DATABASE_URL": f"mysql://ada:{HIDDEN}@127.0.0.1:1/arcana"},
        "DATABASE_URL",
    ),
    "a database URL that cannot be read": (
        "run",
        {"DATABASE_URL": f"postgres://ada:{HIDDEN}@127.0.0.1:port/arcana"},
        "DATABASE_URL",
    ),
    "two workers without Redis": ("serve", {"WORKERS": "2"}, "REDIS_URL"),
    "no limits on every interface": (
        "serve",
        {"RATE_LIMITS": "off", "HTTP_HOST": "0.0.0.0"},
        "RATE_LIMITS",
    ),
    "an unsigned algorithm": ("serve", {"JWT_ALGORITHM": "none"}, "JWT_ALGORITHM"),
    "a port beyond all ports": ("run", {"HTTP_PORT": "65536"}, "HTTP_PORT"),
    "one port for both": ("run", {"HTTP_PORT": "5001", "GRPC_PORT": "5001"}, "GRPC_PORT"),
    "a pool of words": ("run", {"DB_POOL_SIZE": HIDDEN}, "DB_POOL_SIZE"),
    "an admin without a password": (
        "serve",
        {"ADMIN_EMAIL": f"{HIDDEN}@example.com"},
        "ADMIN_PASSWORD",
    ),
    "an address of Redis that is none": (
        "serve",
        {"REDIS_URL": f"http://:{HIDDEN}@127.0.0.1"},
        "REDIS_URL",
    ),
    "a schema behind": ("serve", {}, "migrate up"),
    "an admin with a common password": (
        "run",
        {"ADMIN_EMAIL": f"{HIDDEN}@example.com", "ADMIN_PASSWORD": "password123"},
        "ADMIN_PASSWORD",
    ),
    "metrics at a door": ("run", {"GRPC_PORT": "9464", "METRICS_PORT": "9464"}, "METRICS_PORT"),
    "metrics elsewhere": (
        "run",
        {"METRICS_HOST": "192.0.2.1", "METRICS_PORT": "9464"},
        "METRICS_HOST",
    ),
    "a certificate without a key": ("serve", {"GRPC_TLS_CERT": HIDDEN}, "GRPC_TLS_KEY"),
    "a key without a certificate": ("serve", {"GRPC_TLS_KEY": HIDDEN}, "GRPC_TLS_CERT"),
    "a certificate that is not there": (
        "run",
        {"GRPC_TLS_CERT": f"{HIDDEN}.pem", "GRPC_TLS_KEY": f"{HIDDEN}.pem"},
        "GRPC_TLS_CERT",
    ),
    "a certificate that is none": (
        "run",
        {"GRPC_TLS_CERT": "/etc/passwd", "GRPC_TLS_KEY": "/etc/passwd"},
        "GRPC_TLS_CERT",
    ),
    "a host of elsewhere": ("run", {"HTTP_HOST": "192.0.2.1"}, "HTTP_HOST"),
}


def one_line(folder: Path, command: str, **settings: str) -> str:
    """The one line with which a command refuses."""
    http, rpc = free_ports(2)
    good = {"JWT_SECRET": SECRET, "HTTP_PORT": str(http), "GRPC_PORT": str(rpc)}
    ended = manage(folder, command, **{**good, **settings})
    said = ended.stderr
    assert ended.returncode not in (0, -9)
    for secret in (HIDDEN, SECRET, "password123"):
        assert secret not in said + ended.stdout
    assert "Traceback" not in said
    lines = [line for line in said.strip().splitlines() if not LOG_LINE.match(line)]
    assert len(lines) == 1, said
    return lines[0]


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_setting_is_one_line_that_names_it(tmp_path: Path, fault: str) -> None:
    command, settings, name = BAD[fault]
    assert name in one_line(tmp_path, command, **settings)


@pytest.mark.parametrize("setting", ["HTTP_PORT", "GRPC_PORT", "METRICS_PORT"])
def test_a_taken_port_is_one_line_that_names_it(tmp_path: Path, setting: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = one_line(tmp_path, "run", **{setting: port})
    assert setting in said
    assert port in said


def test_several_faults_are_a_line_each(tmp_path: Path) -> None:
    ended = manage(tmp_path, "serve", WORKERS="many", HTTP_PORT="none", JWT_SECRET=HIDDEN)
    lines = ended.stderr.strip().splitlines()
    assert sorted(line.partition(":")[0] for line in lines) == [
        "HTTP_PORT",
        "JWT_SECRET",
        "WORKERS",
    ]
    assert HIDDEN not in ended.stderr


def test_a_refused_start_leaves_nothing_behind(tmp_path: Path) -> None:
    manage(tmp_path, "serve", JWT_SECRET="short")
    assert list(tmp_path.iterdir()) == []
