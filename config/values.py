"""How the texts of the environment become values."""

import json
import re
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from config import addresses, mail
from config.faults import Fault
from config.secret import SECRET_BYTES
from service.core.destinations import normal_host
from service.core.directories import Directory
from service.core.text import normal_email

TEN_YEARS = timedelta(days=3650)
HOW_TO_MAKE_ONE = "Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"


def _items(value: Any) -> Any:
    """What a list holds: JSON, or text parted by commas."""
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith("["):
        return [item.strip() for item in value.split(",") if item.strip()]
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise Fault("must be a list parted by commas, or a JSON list of texts") from None


def _whole(value: Any) -> Any:
    """Digits only: int() would also take ``1_000``, ``+5`` and every script's digits."""
    if not isinstance(value, str):
        return value
    digits = value.strip()
    if not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        raise Fault("must be a whole number")
    return int(digits)


def _port_or_off(value: Any) -> Any:
    off = isinstance(value, str) and value.strip().lower() == "off"
    return None if off else _whole(value)


def _duration(value: Any) -> Any:
    seconds = _whole(value)
    if isinstance(seconds, int) and seconds <= TEN_YEARS.total_seconds():
        return timedelta(seconds=seconds)
    return value


def _some_time(value: timedelta) -> timedelta:
    if not timedelta(0) < value <= TEN_YEARS:
        raise Fault("must be a number of seconds, from 1 to ten years")
    return value


def _short_time(value: Any) -> Any:
    """A part of a second or a few: time-outs, in decimal digits alone."""
    if not isinstance(value, str):
        return value
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", value.strip(), re.ASCII):
        raise Fault("must be a number of seconds, such as 2.5")
    return timedelta(seconds=float(value))


def _patience(value: timedelta) -> timedelta:
    if not timedelta(milliseconds=50) <= value <= timedelta(minutes=5):
        raise Fault("must be a number of seconds, from 0.05 to 300")
    return value


def _pause(value: timedelta) -> timedelta:
    if value > timedelta(minutes=5):
        raise Fault("must be a number of seconds, from 0 to 300")
    return value


def _network(value: Any) -> Any:
    try:
        network = ip_network(value)
    except ValueError:
        raise Fault("must be addresses or networks such as 10.0.0.0/8") from None
    if network.prefixlen == 0:
        raise Fault("must not hold every address: then any caller could forge its own")
    return network


def _receiver(value: Any) -> Any:
    """A network, an address as a network of one, or a name."""
    mend = "must be names such as hooks.internal, addresses, or networks such as 10.0.0.0/8"
    if not isinstance(value, str):
        raise Fault(mend)
    bare = value.strip().removeprefix("[").removesuffix("]")
    try:
        network = ip_network(bare)
    except ValueError:
        try:
            return normal_host(bare)
        except ValueError:
            raise Fault(mend) from None
    if network.prefixlen == 0:
        raise Fault("must not hold every address: then webhooks would reach all that is inside")
    return network


def _directory(value: Any) -> Any:
    try:
        return Directory.read(value)
    except ValueError as error:
        raise Fault(str(error)) from None


def _email(value: str) -> str:
    try:
        return normal_email(value)
    except ValueError:
        raise Fault("must be an e-mail address, such as ada@example.com") from None


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value().encode()) < SECRET_BYTES:
        raise Fault(f"must have at least {SECRET_BYTES} bytes (RFC 7518 §3.2). {HOW_TO_MAKE_ONE}")
    return secret


def _lower(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


AnyCase = BeforeValidator(_lower)
Many = BeforeValidator(_items)
DatabaseUrl = Annotated[str, AfterValidator(addresses.database_url)]
RedisUrl = Annotated[str, AfterValidator(addresses.redis_url)]
Secret = Annotated[SecretStr, AfterValidator(_long_enough)]
WebUrl = Annotated[str, AfterValidator(addresses.web_url)]
PublicUrl = Annotated[str, AfterValidator(mail.public_url)]
Smtp = Annotated[mail.SmtpServer, BeforeValidator(mail.smtp_server)]
Sender = Annotated[mail.Sender, BeforeValidator(mail.sender)]
Host = Annotated[str, AfterValidator(addresses.host)]
Origins = Annotated[
    tuple[Annotated[str, AfterValidator(addresses.origin)], ...],
    NoDecode,  # or pydantic-settings would insist on JSON
    Many,
]
Networks = Annotated[
    tuple[Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)], ...], NoDecode, Many
]
Receivers = Annotated[
    tuple[Annotated[IPv4Network | IPv6Network | str, BeforeValidator(_receiver)], ...],
    NoDecode,
    Many,
]
Directories = Annotated[
    tuple[Annotated[Directory, BeforeValidator(_directory)], ...], NoDecode, Many
]
Email = Annotated[str, AfterValidator(_email)]
Count = Annotated[int, BeforeValidator(_whole)]
Port = Annotated[Count, Field(ge=1, le=65_535)]
PortOrOff = Annotated[Annotated[int, Field(ge=1, le=65_535)] | None, BeforeValidator(_port_or_off)]
Seconds = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_some_time)]
Timeout = Annotated[timedelta, BeforeValidator(_short_time), AfterValidator(_patience)]
Pause = Annotated[timedelta, BeforeValidator(_short_time), AfterValidator(_pause)]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:/-]{1,128}\z")]
Prefix = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,64}\z")]
"""Nothing in it has a meaning in a Redis pattern."""
Stream = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:{}-]{1,128}\z")]
UriReference = Annotated[str, Field(pattern=r"^[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]{1,255}\z")]
"""RFC 3986, but for the brackets of IPv6 addresses."""
