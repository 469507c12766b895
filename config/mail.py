"""The settings of mail: which server takes it, from whom it is, and where people are sent."""

from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.utils import getaddresses
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from config.addresses import host as host_name
from config.addresses import is_loopback
from config.faults import Fault
from service.core.text import normal_email, refuse_controls

Tls = Literal["off", "starttls", "implicit"]

_SMTP = (
    "must be smtp://USER:PASSWORD@HOST:PORT, with special characters percent-encoded, "
    "or smtps://… where TLS begins at once"
)
_TLS = "may end in ?tls=on or ?tls=off, and in nothing else; smtps:// has TLS anyway"
_OPEN = (
    "would send its password in the clear: leave ?tls=off away, use smtps://, "
    "or leave the user away"
)
_FROM = "must be an ASCII address, alone or as in: Arcana <no-reply@example.com>"
_PUBLIC = "must be an address such as https://accounts.example.com, without ? and #"
_PORTS = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Who takes our mail on. With ``starttls`` nothing is said before the line is encrypted."""

    host: str
    port: int
    tls: Tls
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Sender:
    """Whom mail is from."""

    name: str
    address: str


def smtp_server(text: object) -> object:
    """The server that ``text`` names; anything but text is left as it is.

    Raises:
        Fault: it names none, or one that would be told a password without TLS.
    """
    if not isinstance(text, str):
        return text
    try:
        parts = urlsplit(text)
        port = parts.port
        options = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        raise Fault(_SMTP) from None
    if parts.scheme not in _PORTS or not parts.hostname or port == 0:
        raise Fault(_SMTP)
    if parts.path not in ("", "/") or parts.fragment or any(c.isspace() for c in text):
        raise Fault(_SMTP)
    user, password = _credentials(parts.username, parts.password)
    server = SmtpServer(
        host_name(parts.hostname),
        port or _PORTS[parts.scheme],
        _tls(parts.scheme, host_name(parts.hostname), options),
        user,
        password,
    )
    if server.tls == "off" and server.user is not None and not is_loopback(server.host):
        raise Fault(_OPEN)
    return server


def _credentials(user: str | None, password: str | None) -> tuple[str | None, str | None]:
    """Raises: Fault, when one is there without the other, or can't be sent."""
    if user is None and password is None:
        return None, None
    try:
        texts = [unquote(text or "", errors="strict") for text in (user, password)]
        for text in texts:
            refuse_controls(text)
    except ValueError:
        raise Fault(_SMTP) from None
    if not all(texts):
        raise Fault(_SMTP)
    return texts[0], texts[1]


def _tls(scheme: str, host: str, options: list[tuple[str, str]]) -> Tls:
    """Raises: Fault."""
    asked = options[0][1] if options else None
    if options not in ([], [("tls", "on")], [("tls", "off")]):
        raise Fault(_TLS)
    if scheme == "smtps" and asked == "off":
        raise Fault(_TLS)
    if scheme == "smtps":
        return "implicit"
    is_off = is_loopback(host) if asked is None else asked == "off"
    return "off" if is_off else "starttls"


def sender(text: object) -> object:
    """The address that ``text`` names, with its name; anything but text is left as it is.

    Raises:
        Fault: it is not one address, or one that not every server takes.
    """
    if not isinstance(text, str):
        return text
    try:
        refuse_controls(text)
        ((name, bare),) = getaddresses([text])
        address = normal_email(bare)
        Address(display_name=name, addr_spec=address)
    except (ValueError, MessageError):
        raise Fault(_FROM) from None
    if not address.isascii() or "=?" in text:  # an encoded word (RFC 2047) may hold a line end
        raise Fault(_FROM)
    return Sender(name.strip(), address)


def public_url(text: str) -> str:
    """``text`` without a slash at its end, for paths to follow.

    Raises:
        Fault: it is no address that people could open.
    """
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  # reading it refuses a bad port
    except ValueError:
        raise Fault(_PUBLIC) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise Fault(_PUBLIC)
    if "?" in text or "#" in text or not text.isascii() or any(c in "\"'<>\\" for c in text):
        raise Fault(_PUBLIC)
    if any(c.isspace() for c in text):
        raise Fault(_PUBLIC)
    host_name(parts.hostname)
    return text.rstrip("/")
