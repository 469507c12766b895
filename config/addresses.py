"""The addresses that settings may hold: of databases, Redis, hosts, origins."""

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from config.faults import Fault

_SCHEMES = {
    "sqlite": "sqlite",
    "postgres": "postgres",
    "postgresql": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
}
_DATABASE = (
    "must be sqlite://PATH, postgres://USER:PASSWORD@HOST:PORT/NAME or "
    "mysql://USER:PASSWORD@HOST:PORT/NAME, with special characters percent-encoded"
)
_REDIS = "must be redis://HOST:PORT/NUMBER, rediss://… for TLS, or unix://PATH"
_ORIGIN = "must hold origins such as https://app.example.com: no path, and never *"
_WEB = "must be an address such as http://collector:4318"
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_-]{1,63})*\Z")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def database_url(text: str) -> str:
    """``text`` with its scheme in the one form the rest of the service knows.

    Raises:
        Fault: the scheme is unknown, or the database has no name.
    """
    scheme, found, rest = text.partition("://")
    known = _SCHEMES.get(scheme.lower())
    if not known or not found or not rest:
        raise Fault(_DATABASE)
    if known != "sqlite":
        parts = _split(text, _DATABASE)
        if not parts.path.strip("/"):
            raise Fault(_DATABASE)
    return f"{known}://{rest}"


def redis_url(text: str) -> str:
    """Raises:
    Fault: it is no address that the Redis client understands.
    """
    parts = _split(text, _REDIS)
    place = parts.path if parts.scheme == "unix" else parts.hostname
    if parts.scheme not in ("redis", "rediss", "unix") or not place:
        raise Fault(_REDIS)
    return text


def origin(text: str) -> str:
    """``text`` as browsers write an origin (RFC 6454 §6.2): lower case, no default port.

    Raises:
        Fault: it is more or less than an origin.
    """
    parts = _split(text.strip(), _ORIGIN)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or not text.isascii():
        raise Fault(_ORIGIN)
    if parts.path or parts.query or parts.fragment or "@" in parts.netloc or text[-1] in "?#":
        raise Fault(_ORIGIN)
    bare = host(parts.hostname)
    shown = f"[{bare}]" if ":" in bare else bare
    port = "" if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{shown}{port}"


def web_url(text: str) -> str:
    """Raises:
    Fault: it is no address of something that speaks HTTP.
    """
    parts = _split(text, _WEB)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.query or parts.fragment:
        raise Fault(_WEB)
    return text


def host(text: str) -> str:
    """An address, without the brackets that IPv6 may come in, or a host name.

    Raises:
        Fault: it is neither.
    """
    bare = text.strip().lower()
    if bare.startswith("[") and bare.endswith("]"):
        bare = bare[1:-1]
    if not _is_address(bare) and (not _HOST_NAME.match(bare) or _ends_in_number(bare)):
        raise Fault("must hold an address such as 127.0.0.1, 0.0.0.0 or ::1, or a host name")
    return bare


def is_loopback(bare: str) -> bool:
    """Whether nobody but this machine reaches ``bare``; a name other than localhost may not be."""
    return bare == "localhost" or (_is_address(bare) and ip_address(bare).is_loopback)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _ends_in_number(name: str) -> bool:
    """Such a name would be read as a mistyped IPv4 address."""
    return name.rpartition(".")[2].isdigit()


def _split(text: str, mend: str) -> SplitResult:
    """``text`` taken apart; its port is known to be good.

    Raises:
        Fault: with ``mend``; urllib's own words would quote the text.
    """
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  # reading it refuses a bad port
    except ValueError:
        raise Fault(mend) from None
    if any(c.isspace() for c in text):
        raise Fault(mend)
    return parts
