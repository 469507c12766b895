"""Where a request comes from, read alike at both doors."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address


class Callers:
    """Finds a caller's address. Only proxies of the given networks are believed about others."""

    def __init__(self, trusted_proxies: Iterable[str] = ()) -> None:
        self._trusted = [ip_network(network, strict=False) for network in trusted_proxies]

    def address(self, peer: str, forwarded: Sequence[str]) -> str:
        """The peer's address or, behind trusted proxies, the last one they did not add themselves.

        ``forwarded`` are the values of ``X-Forwarded-For``; they are read from the right, because a
        caller can write anything at their left.
        """
        nearest = _parse(peer)
        if nearest is None:
            return peer
        for entry in reversed(_entries(forwarded)):
            if not self._trusts(nearest):
                break
            further = _parse(entry)
            if further is None:
                break
            nearest = further
        return str(nearest)

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def _entries(values: Sequence[str]) -> list[str]:
    return [entry.strip(" \t") for value in values for entry in value.split(",")]


def _parse(text: str) -> Address | None:
    """An address, also with a port or in brackets; one of IPv4 mapped into IPv6 is taken out.

    One with a zone is none: the zone is any text, and each would have limits of its own.
    """
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
