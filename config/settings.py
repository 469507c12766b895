"""Every setting of the service: its name, its default, and what makes the whole safe."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import Enum, auto
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from config import values as v
from config.addresses import is_loopback
from config.faults import Faults, lines
from config.files import with_files
from config.secret import SECRET_BYTES, SecretUnavailable, kept_secret, known_secret

SECRET_FILE = Path("var/jwt_secret")
_EASE = {"log_format": "text", "drain_delay": "0", "mail_folder": "var/mail"}
"""What everything but SERVE has where nothing else is said."""


class Purpose(Enum):
    """What a process is started for, which decides where its settings may come from."""

    RUN = auto()
    """Development: reads ``.env``; a secret is made and kept in ``var/``."""
    TOOL = auto()
    """Any other command: reads ``.env``; writes nothing, and needs no secret."""
    SERVE = auto()
    """Production: the environment alone, and ``JWT_SECRET`` must stand in it."""


class SettingsError(Exception):
    """The settings can't be used; each line names one and its mend, never its value."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("\n".join(faults))


class Settings(BaseSettings):
    """The settings of one process, checked as a whole and never changed afterwards.

    It reads nothing but its arguments; ``load`` brings in the environment. A field's description
    says what its value must be, and is what a refusal tells. A blank value counts as unset.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    database_url: v.DatabaseUrl = Field("sqlite://var/arcana.db", repr=False)
    redis_url: v.RedisUrl | None = Field(None, repr=False)
    db_pool_size: Annotated[v.Count, Field(ge=1, le=1000)] = Field(5, description="from 1 to 1000")
    db_connect_timeout: v.Timeout = Field(
        timedelta(seconds=1), description="a number of seconds, such as 1.5"
    )
    db_pool_timeout: v.Timeout = Field(
        timedelta(seconds=1), description="a number of seconds, such as 1.5"
    )
    db_query_timeout: v.Timeout = Field(
        timedelta(seconds=2), description="a number of seconds, such as 2.5"
    )
    db_prepared_statements: bool = Field(True, description="on or off")
    cache_ttl: v.Seconds = Field(timedelta(hours=1), description="a number of seconds")
    cache_prefix: v.Prefix = Field("arcana:", description="up to 64 letters, digits and ._:-")

    jwt_secret: v.Secret = Field(description=f"text of at least {SECRET_BYTES} bytes")
    jwt_secret_previous: v.Secret | None = Field(
        None, description=f"text of at least {SECRET_BYTES} bytes"
    )
    jwt_algorithm: Literal["HS256", "EdDSA", "ES256", "RS256"] = Field(
        "HS256", description="HS256, EdDSA, ES256 or RS256"
    )
    jwt_issuer: v.Word = Field("arcana", description="up to 128 letters, digits and ._:/-")
    jwt_audience: v.Word = Field("arcana", description="up to 128 letters, digits and ._:/-")
    access_token_expiry: v.Seconds = Field(timedelta(hours=1), description="a number of seconds")
    refresh_token_expiry: v.Seconds = Field(timedelta(days=7), description="a number of seconds")
    session_lifetime: v.Seconds = Field(timedelta(days=90), description="a number of seconds")
    revocation_outage: Annotated[Literal["closed", "open"], v.AnyCase] = Field(
        "closed", description="closed or open"
    )

    http_host: v.Host = "127.0.0.1"
    http_port: v.Port = Field(5000, description="a port, from 1 to 65535")
    grpc_port: v.Port = Field(50051, description="a port, from 1 to 65535")
    metrics_host: v.Host = "127.0.0.1"
    metrics_port: v.PortOrOff = Field(9464, description="a port, from 1 to 65535, or off")
    tracing: bool | None = Field(None, description="on or off")
    otel_exporter_otlp_endpoint: v.WebUrl | None = Field(None, repr=False)
    workers: Annotated[v.Count, Field(ge=1, le=256)] = Field(1, description="from 1 to 256")
    grpc_tls_cert: Path | None = Field(None, description="the path of a PEM file")
    grpc_tls_key: Path | None = Field(None, description="the path of a PEM file")
    grpc_tls_client_ca: Path | None = Field(None, description="the path of a PEM file")
    sync_targets: v.Directories = Field((), description="a list of name=grpcs://host:port")
    sync_tls_ca: Path | None = Field(None, description="the path of a PEM file")
    sync_tls_cert: Path | None = Field(None, description="the path of a PEM file")
    sync_tls_key: Path | None = Field(None, description="the path of a PEM file")
    drain_delay: v.Pause = Field(
        timedelta(seconds=2), description="a number of seconds, from 0 to 300"
    )
    run_folder: str = Field("var", description="a folder")
    cors_origins: v.Origins = Field((), description="a list of origins")
    trusted_proxies: v.Networks = Field((), description="a list of addresses and networks")
    webhook_hosts: v.Receivers = Field((), description="a list of names, addresses and networks")

    relay: bool = Field(False, description="on or off")
    event_source: v.UriReference | None = Field(
        None, description="a URI or a part of one, of up to 255 characters"
    )
    event_stream: v.Stream | None = Field(None, description="up to 128 letters, digits and ._:{}-")
    event_stream_length: Annotated[v.Count, Field(ge=1, le=1_000_000_000)] = Field(
        100_000, description="from 1 to 1000000000"
    )

    registration: Annotated[Literal["open", "closed"], v.AnyCase] = Field(
        "open", description="open or closed"
    )
    rate_limits: bool = Field(True, description="on or off")
    admin_email: v.Email | None = Field(None, repr=False)
    admin_password: SecretStr | None = Field(None, description="text")

    smtp_url: v.Smtp | None = Field(None, repr=False)
    mail_from: v.Sender | None = None
    mail_folder: Path | None = Field(None, description="the path of a folder")
    mail_templates: Path | None = Field(None, description="the path of a folder")
    public_url: v.PublicUrl | None = None

    debug: bool = Field(False, description="true or false")
    log_format: Annotated[Literal["json", "text"], v.AnyCase] = Field(
        "json", description="json or text"
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], v.AnyCase] = Field(
        default_factory=lambda others: "debug" if others.get("debug") else "info",
        description="debug, info, warning or error",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    @model_validator(mode="before")
    @classmethod
    def _blank_is_unset(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        return _not_blank(given)

    @model_validator(mode="after")
    def _safe_together(self) -> Self:
        conflicts = list(_conflicts(self))
        if conflicts:
            raise Faults(conflicts)
        return self


def load(purpose: Purpose, folder: Path = Path()) -> Settings:
    """The settings of this process: the environment and, but for SERVE, ``.env`` in ``folder``.

    ``NAME_FILE`` names the file that holds the value of ``NAME``, as orchestrators mount secrets.

    Raises:
        SettingsError: one is missing, unreadable or unsafe.
    """
    given = _given(EnvSettingsSource(Settings))
    if purpose is not Purpose.SERVE:
        relay = "on" if purpose is Purpose.RUN else "off"
        given = {**_EASE, "relay": relay, **_dotenv(folder / ".env"), **given}
        if "jwt_secret" not in given:
            given["jwt_secret"] = _own_secret(purpose, folder / SECRET_FILE)
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingsError(lines(error, Settings, {"JWT_SECRET": v.HOW_TO_MAKE_ONE})) from None


def _conflicts(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.workers > 1 and settings.redis_url is None:
        yield "WORKERS", "more than one worker needs Redis: set REDIS_URL, or WORKERS=1"
    if settings.workers > 1 and ":memory:" in settings.database_url:
        yield "WORKERS", "workers can't share a database in memory: set DATABASE_URL, or WORKERS=1"
    if settings.http_port == settings.grpc_port:
        yield "GRPC_PORT", "must differ from HTTP_PORT"
    if settings.metrics_port in (settings.http_port, settings.grpc_port):
        yield "METRICS_PORT", "must differ from HTTP_PORT and GRPC_PORT: set another port, or off"
    if settings.event_stream and settings.redis_url is None:
        yield "EVENT_STREAM", "a stream needs Redis: set REDIS_URL, or no EVENT_STREAM"
    yield from _conflicts_of_tls(settings)
    yield from _conflicts_of_mail(settings)
    yield from _conflicts_of_tokens(settings)
    yield from _conflicts_of_sync(settings)
    if not settings.rate_limits and not is_loopback(settings.http_host):
        yield "RATE_LIMITS", "may be off only while HTTP_HOST is a loopback address: set it on"
    if settings.admin_email and not settings.admin_password:
        yield "ADMIN_PASSWORD", "must be set too when ADMIN_EMAIL is"
    if settings.admin_password and not settings.admin_email:
        yield "ADMIN_EMAIL", "must be set too when ADMIN_PASSWORD is"


def _conflicts_of_tls(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.grpc_tls_cert and not settings.grpc_tls_key:
        yield "GRPC_TLS_KEY", "must be set too when GRPC_TLS_CERT is"
    if not settings.grpc_tls_cert and (settings.grpc_tls_key or settings.grpc_tls_client_ca):
        yield "GRPC_TLS_CERT", "must be set too when GRPC_TLS_KEY or GRPC_TLS_CLIENT_CA is"


def _conflicts_of_mail(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.smtp_url and not settings.mail_from:
        yield "MAIL_FROM", "must be set too when SMTP_URL is: whom mail is from"
    if settings.smtp_url and not settings.public_url:
        yield "PUBLIC_URL", "must be set too when SMTP_URL is: where mails send people"


def _conflicts_of_sync(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.sync_tls_cert and not settings.sync_tls_key:
        yield "SYNC_TLS_KEY", "must be set too when SYNC_TLS_CERT is"
    if settings.sync_tls_key and not settings.sync_tls_cert:
        yield "SYNC_TLS_CERT", "must be set too when SYNC_TLS_KEY is"
    is_tls = any(target.tls for target in settings.sync_targets)
    if not is_tls and (settings.sync_tls_ca or settings.sync_tls_cert):
        yield "SYNC_TARGETS", "none is grpcs://, so SYNC_TLS_CA and SYNC_TLS_CERT do nothing"
    names = [target.name for target in settings.sync_targets]
    if len(names) != len(set(names)):
        yield "SYNC_TARGETS", "two have the same name"


def _conflicts_of_tokens(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.jwt_secret == settings.jwt_secret_previous:
        yield "JWT_SECRET_PREVIOUS", "must differ from JWT_SECRET: name the other secret, or none"
    if settings.refresh_token_expiry < settings.access_token_expiry:
        yield "REFRESH_TOKEN_EXPIRY", "must not be shorter than ACCESS_TOKEN_EXPIRY"
    if settings.session_lifetime < settings.refresh_token_expiry:
        yield "SESSION_LIFETIME", "must not be shorter than REFRESH_TOKEN_EXPIRY"


def _given(source: EnvSettingsSource) -> dict[str, Any]:
    """What a source says, with what stands in the files that it names.

    Raises:
        SettingsError: a file can't be read, or its setting is there too.
    """
    try:
        return with_files(_not_blank(source()), _not_blank(source.env_vars), Settings.model_fields)
    except Faults as faults:
        raise SettingsError([f"{name}: {text}" for name, text in faults.pairs]) from None


def _not_blank(given: Mapping[str, Any]) -> dict[str, Any]:
    return {n: value for n, value in given.items() if not isinstance(value, str) or value.strip()}


def _dotenv(path: Path) -> dict[str, Any]:
    try:
        return _given(DotEnvSettingsSource(Settings, env_file=path))
    except (OSError, ValueError):
        raise SettingsError([f"{path}: can't be read; it must be text in UTF-8"]) from None


def _own_secret(purpose: Purpose, path: Path) -> SecretStr:
    try:
        return SecretStr(kept_secret(path) if purpose is Purpose.RUN else known_secret(path))
    except SecretUnavailable as error:
        raise SettingsError([f"JWT_SECRET: {error}"]) from None
