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
from config.secret import SECRET_BYTES, SecretUnavailable, kept_secret, known_secret

SECRET_FILE = Path("var/jwt_secret")


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
    jwt_algorithm: Literal["HS256"] = Field(
        "HS256", description="HS256, the one algorithm that this version signs with"
    )
    jwt_issuer: v.Word = Field("arcana", description="up to 128 letters, digits and ._:/-")
    jwt_audience: v.Word = Field("arcana", description="up to 128 letters, digits and ._:/-")
    access_token_expiry: v.Seconds = Field(timedelta(hours=1), description="a number of seconds")
    refresh_token_expiry: v.Seconds = Field(timedelta(days=7), description="a number of seconds")

    http_host: v.Host = "127.0.0.1"
    http_port: v.Port = Field(5000, description="a port, from 1 to 65535")
    grpc_port: v.Port = Field(50051, description="a port, from 1 to 65535")
    workers: Annotated[v.Count, Field(ge=1, le=256)] = Field(1, description="from 1 to 256")
    cors_origins: v.Origins = Field((), description="a list of origins")
    trusted_proxies: v.Networks = Field((), description="a list of addresses and networks")

    registration: Annotated[Literal["open", "closed"], v.AnyCase] = Field(
        "open", description="open or closed"
    )
    rate_limits: bool = Field(True, description="on or off")
    admin_email: v.Email | None = Field(None, repr=False)
    admin_password: SecretStr | None = Field(None, description="text")

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

    Raises:
        SettingsError: one is missing, unreadable or unsafe.
    """
    given = _not_blank(EnvSettingsSource(Settings)())
    if purpose is not Purpose.SERVE:
        given = {"log_format": "text", **_dotenv(folder / ".env"), **given}
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
    if settings.refresh_token_expiry < settings.access_token_expiry:
        yield "REFRESH_TOKEN_EXPIRY", "must not be shorter than ACCESS_TOKEN_EXPIRY"
    if not settings.rate_limits and not is_loopback(settings.http_host):
        yield "RATE_LIMITS", "may be off only while HTTP_HOST is a loopback address: set it on"
    if settings.admin_email and not settings.admin_password:
        yield "ADMIN_PASSWORD", "must be set too when ADMIN_EMAIL is"
    if settings.admin_password and not settings.admin_email:
        yield "ADMIN_EMAIL", "must be set too when ADMIN_PASSWORD is"


def _not_blank(given: Mapping[str, Any]) -> dict[str, Any]:
    return {n: value for n, value in given.items() if not isinstance(value, str) or value.strip()}


def _dotenv(path: Path) -> dict[str, Any]:
    try:
        return _not_blank(DotEnvSettingsSource(Settings, env_file=path)())
    except (OSError, ValueError):
        raise SettingsError([f"{path}: can't be read; it must be text in UTF-8"]) from None


def _own_secret(purpose: Purpose, path: Path) -> SecretStr:
    try:
        return SecretStr(kept_secret(path) if purpose is Purpose.RUN else known_secret(path))
    except SecretUnavailable as error:
        raise SettingsError([f"JWT_SECRET: {error}"]) from None
