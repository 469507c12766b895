"""How a request must be framed in bytes, so that no two readers of them disagree (RFC 9112).

Repeats are possessive or bounded: nothing, however it is made, is slow to refuse.
"""

import ipaddress
import re

from sanic.exceptions import BadRequest

CHUNKS_MAX = 4096
"""Pieces of one body: each costs more to read than the bytes of a small one."""

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_METHOD = rb"[!#$%&'*+\-.^_`|~0-9A-Z]++"  # capitals: Sanic alone takes "head" for HEAD
_TARGET = rb"[!-\"$-~]++"
_TEXT = rb"[\t -~\x80-\xff]"
_HEAD = re.compile(
    rb"(?P<method>" + _METHOD + rb") " + _TARGET + rb" HTTP/1\.(?P<minor>[01])"
    rb"(?:\r\n" + _TOKEN + rb":" + _TEXT + rb"*+)*+"
)
_STRAY = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n|\Z)")

_END = rb"[ \t]*+(?:\r\n|\Z)"
_HOST = re.compile(
    rb"\r\nhost:[ \t]*+(?:[a-z0-9\-._~%!$&'()*+,;=]++|\[(?P<ip>[0-9a-f:.]++)\])(?::[0-9]{0,5})?"
    + _END
)
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*+([0-9]++)" + _END)
_LENGTH_DIGITS = 19
_CODING = re.compile(rb"\r\ntransfer-encoding:[ \t]*+chunked(?:\r\n|\Z)")

_SIZE = rb"\r\n[0-9A-Fa-f]{1,8}"  # the first CRLF ends what was before
_EXTENSION = rb"[ \t]{0,8};" + _TEXT + rb"{0,200}"
_CHUNK = re.compile(_SIZE + rb"(?:" + _EXTENSION + rb")?\r\n")
_CHUNK_BEGUN = re.compile(
    rb"\r?|\r\n|" + _SIZE + rb"(?:[ \t]{0,8}|" + _EXTENSION + rb")?|"
    + _SIZE + rb"(?:" + _EXTENSION + rb")?\r"
)  # fmt: skip


class Malformed(BadRequest):
    """Bytes that could be read in two ways. The message is ours and may be told."""


def head_fault(head: bytes) -> str | None:
    """What is wrong with a request line and its headers, given without the empty line; or None."""
    match = _HEAD.fullmatch(head)
    if match is None:
        return "The request line or a header is malformed."
    low, is_old = head.lower(), match["minor"] == b"0"
    hosts = low.count(b"\r\nhost:")
    if hosts > 1 or not (hosts or is_old):
        return "Exactly one Host is needed."
    if hosts and not _is_host(_HOST.search(low)):
        return "Host must be a name or an address."
    return _length_fault(low, is_old)


def _is_host(found: re.Match[bytes] | None) -> bool:
    """Whether a host was found, and what is in its brackets is IPv6 (RFC 3986 §3.2.2)."""
    if found is None or found["ip"] is None:
        return found is not None
    try:
        ipaddress.IPv6Address(found["ip"].decode())
    except ValueError:
        return False
    return True


def _length_fault(low: bytes, is_old: bool) -> str | None:
    lengths, codings = low.count(b"\r\ncontent-length:"), low.count(b"\r\ntransfer-encoding:")
    if lengths + codings > 1:
        return "Content-Length or Transfer-Encoding may be given once, and not both."
    length = _LENGTH.search(low) if lengths else None
    if lengths and length is None:
        return "Content-Length must be digits."
    if length and len(length[1]) > _LENGTH_DIGITS:
        return f"Content-Length is too large: it may have {_LENGTH_DIGITS} digits."
    # HTTP/1.0 has no Transfer-Encoding (RFC 9112 §6.1).
    if codings and (is_old or _CODING.search(low) is None):
        return "Transfer-Encoding must be chunked, and HTTP/1.1."
    return None


def has_strays(begun: bytes | bytearray, at: int) -> bool:
    """Whether a head that is not all there yet holds, from ``at`` on, what none may hold.

    Control characters, and CR or LF without the other.
    """
    return _STRAY.search(begun, at) is not None


def begins_chunk(received: bytes | bytearray) -> bool | None:
    """Whether a chunk's size line stands at the front, with the CRLF before it.

    None means that it may, once more bytes have come.
    """
    if _CHUNK.match(received):
        return True
    return None if _CHUNK_BEGUN.fullmatch(received) else False
