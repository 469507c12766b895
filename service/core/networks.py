"""Whom a network address stands for."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_NETWORK_BITS = 64
"""What one customer has at least, so one person can use every address in it (RFC 6177 §2)."""
_LONGEST = 64


def network_of(address: str) -> str:
    """Whom an address stands for: IPv4 itself, IPv6 its /64; what is no address, its first part."""
    try:
        ip: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return address[:_LONGEST]
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is None:
            return str(IPv6Network((int(ip), _NETWORK_BITS), strict=False))
        ip = ip.ipv4_mapped
    return str(ip)
