"""DATABASE_URL: what is understood, and that what is not is never repeated."""

import ssl

import pytest

from service.infra.database.url import read_url


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite://var/arcana.db", "var/arcana.db"),
        ("sqlite:///srv/arcana.db", "/srv/arcana.db"),
        ("sqlite://:memory:", ":memory:"),
    ],
)
def test_a_file_is_relative_or_absolute(url: str, path: str) -> None:
    target = read_url(url)
    assert target.dialect == "sqlite"
    assert target.credentials == {"file_path": path}
    assert target.is_memory is (path == ":memory:")


@pytest.mark.parametrize(
    ("scheme", "dialect", "port"),
    [("postgres", "postgres", 5432), ("postgresql", "postgres", 5432), ("mysql", "mysql", 3306)],
)
def test_a_server_has_a_usual_port(scheme: str, dialect: str, port: int) -> None:
    target = read_url(f"{scheme}://ada@db.example/arcana")
    assert target.dialect == dialect
    assert target.credentials["port"] == port
    assert target.credentials["database"] == "arcana"
    assert read_url(f"{scheme}://ada@db.example:99/arcana").credentials["port"] == 99


def test_credentials_are_percent_decoded() -> None:
    target = read_url("postgres://a%40b:p%2F%3A%3F%23%C3%A9%25@[::1]/arcana")
    assert target.credentials["user"] == "a@b"
    assert target.credentials["password"] == "p/:?#é%"
    assert target.credentials["host"] == "::1"


def test_a_socket_is_an_option() -> None:
    assert read_url("postgres:///arcana?host=/run/pg").credentials["host"] == "/run/pg"


def test_tls_is_verified_when_asked_to() -> None:
    assert read_url("mysql://h/arcana").credentials["tls"] is None
    required = read_url("mysql://h/arcana?sslmode=require").credentials["tls"]
    verified = read_url("mysql://h/arcana?sslmode=verify-full").credentials["tls"]
    assert required.verify_mode is ssl.CERT_NONE
    assert verified.verify_mode is ssl.CERT_REQUIRED
    assert verified.check_hostname


@pytest.mark.parametrize(
    "url",
    [
        "",
        "s3cret",
        "oracle://ada:s3cret@host/arcana",
        "sqlite://",
        "sqlite://s3cret.db?mode=ro",
        "postgres://ada:s3cret@host",
        "postgres://ada:s3cret@host/",
        "postgres://ada:s3cret@host/a/b",
        "postgres://ada:s3cret@host:port/arcana",
        "postgres://ada:s3cret/1@host/arcana",
        "mysql://ada:[s3cret@host/arcana",
        "mysql://ada:s3cret\u2100@host/arcana",
        "mysql://ada:s3cret@host:99999/arcana",
        "mysql://ada:s3cret@host/arcana?unknown=s3cret",
        "mysql://ada:s3cret@host/arcana?sslmode=s3cret",
    ],
)
def test_what_cannot_be_understood_is_refused_and_never_repeated(url: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_url(url)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_an_unknown_scheme_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"sqlite://, postgres://, postgresql://, mysql://"):
        read_url("oracle://host/arcana")


def test_a_target_does_not_show_its_password() -> None:
    assert "s3cret" not in repr(read_url("postgres://ada:s3cret@host/arcana"))
