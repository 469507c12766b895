"""Where this service may send something of its own accord, because somebody named an address."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self
from urllib.parse import SplitResult, urlsplit

import idna

URL_MAX = 2048
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_PORTS = {"https": 443, "http": 80}
_VISIBLE = re.compile(r"[\x21-\x7e]*")
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9-]{1,63})*\Z")
_NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)\Z")
"""A last label that makes resolvers read the whole as an IPv4 address in one of its old forms."""

_NAT64 = IPv6Network("64:ff9b::/96")
_MAPPED = (_NAT64, IPv6Network("::ffff:0:0/96"), IPv6Network("::/96"))
"""Whose last 32 bits are the IPv4 address that is reached (RFC 6052, RFC 4291 §2.5.5)."""
_NOBODYS = tuple(
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15"),
        *("240.0.0.0/4", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32"),
        *("2002::/16", "3fff::/20", "5f00::/16", "fec0::/10"),
    )
)
"""Special purposes (RFC 6890 and after) that not every Python counts as not global: shared and
reserved space, NAT64 of one's own, Teredo, documentation, 6to4, SRv6, site-local."""


def is_public(address: Address) -> bool:
    """Whether everybody on the internet would reach the same host under ``address``."""
    if isinstance(address, IPv6Address):
        if any(address in network for network in _MAPPED):
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address.scope_id is not None:
            return False
    is_special = address.is_private or address.is_loopback or address.is_link_local
    is_special |= address.is_multicast or address.is_reserved or address.is_unspecified
    if is_special or not address.is_global:
        return False
    return not any(address in net for net in _NOBODYS if net.version == address.version)


@dataclass(frozen=True, slots=True)
class Destinations:
    """The public internet by TLS, and what an operator allows besides: names and networks.

    What is allowed may be spoken to in plain text, too.
    """

    names: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def besides(cls, allowed: Iterable[str | Network]) -> Self:
        """The public internet and ``allowed``."""
        given = list(allowed)
        names = frozenset(each for each in given if isinstance(each, str))
        return cls(names, tuple(each for each in given if not isinstance(each, str)))

    def check(self, url: str) -> None:
        """Whether ``url``, in its normal form, may be an address to send to.

        Where its name leads is another question, asked anew for each connection: ``may_reach``.

        Raises:
            ValueError: it may not; the text says why.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        address = _literal(host)
        is_allowed = host in self.names or (address is not None and self._holds(address))
        if is_allowed:
            return
        if parts.scheme != "https":
            raise ValueError("Must begin with https://, unless WEBHOOK_HOSTS names the host.")
        if address is not None and not is_public(address):
            raise ValueError("Must not be a private address, unless WEBHOOK_HOSTS names it.")

    def may_reach(self, host: str, address: str) -> bool:
        """Whether to connect to ``address``, that ``host`` stands for at the moment."""
        found = _literal(address)
        if found is None:
            return False
        if is_public(found) or self._holds(found):
            return True
        # A name is trusted with the operator's networks, but not with a cloud's metadata.
        is_odd = found.is_link_local or found.is_multicast or found.is_unspecified
        return host in self.names and not is_odd

    def _holds(self, address: Address) -> bool:
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in net for net in self.networks if net.version == address.version)


def normal_url(text: str) -> str:
    """An address of a receiver in the one form in which it is kept.

    Raises:
        ValueError: it is none; the text says what to mend.
    """
    text = text.strip()
    if len(text) > URL_MAX:
        raise ValueError(f"Must have at most {URL_MAX} characters.")
    parts = _split(text)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("Must be an address such as https://example.com/hooks.")
    if "@" in parts.netloc:
        raise ValueError("Must hold no user and no password: what is sent is signed instead.")
    if "#" in text:
        raise ValueError("Must have no fragment.")
    host, port = _normal_host(parts.hostname), parts.port
    if port == 0:
        raise ValueError("Must have a port from 1 to 65535, or none.")
    rest = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    if not _VISIBLE.fullmatch(rest) or set(rest) & set('"<>\\^`{|}'):
        raise ValueError("Must have other characters than A to Z percent-encoded behind the host.")
    shown = "" if port in (None, _PORTS[parts.scheme]) else f":{port}"
    url = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{shown}{rest}"
    if len(url) > URL_MAX:
        raise ValueError(f"Must have at most {URL_MAX} characters.")
    return url


def normal_host(text: str) -> str:
    """A host's name in lower case and IDNA form, or its address, without brackets.

    Raises:
        ValueError: it is neither.
    """
    return _normal_host(text.strip().removeprefix("[").removesuffix("]").lower())


def _normal_host(host: str) -> str:
    if (address := _literal(host)) is not None:
        return str(address)
    fault = ValueError("Must have a host such as example.com, or an address such as 192.0.2.7.")
    try:
        name = idna.encode(host, uts46=True).decode() if not host.isascii() else host
    except (idna.IDNAError, UnicodeError):
        raise fault from None
    name = name.removesuffix(".")
    if not _NAME.match(name) or _NUMERIC.match(name.rpartition(".")[2]):
        raise fault
    return name


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _split(text: str) -> SplitResult:
    """``text`` taken apart; its port is known to be a number."""
    if any(c.isspace() or not c.isprintable() for c in text):
        raise ValueError("Must hold no blanks and no control characters.")
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  # reading it refuses a bad port
    except ValueError:
        raise ValueError("Must be an address such as https://example.com/hooks.") from None
    return parts
