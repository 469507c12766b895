"""Requests that nobody means well by, as bytes, each with a word that must be logged nowhere."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from tests.support.framings import BAD, SMUGGLED

VECTORS = Path(__file__).parents[1] / "data" / "vectors"
STRINGS: list[str] = json.loads((VECTORS / "blns.json").read_text("utf-8"))
CANARY = "canary7301"
API = b"/api/v1"
JSON = b"application/json"

_INJECTIONS = [
    "' OR '1'='1",
    "'; DROP TABLE users; --",
    '{"level":"critical","message":"forged"}',
    "%0d%0aSet-Cookie: a=b",
    "../../../../etc/passwd",
    "${jndi:ldap://127.0.0.1/a}",
    "{{7*7}}",
    "\x1b[31mred",
    "\u2028forged",
    "\ufeff",
    "\U0001f600",
]


def request(
    method: bytes, path: bytes, *fields: bytes, body: bytes = b"", form: bytes = JSON
) -> bytes:
    """A request that is framed well, whatever stands in it."""
    lines = [method + b" " + path + b" HTTP/1.1", b"Host: a", *fields]
    if body:
        lines += [b"Content-Type: " + form, b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*lines, b"", body])


def in_paths_and_queries() -> Iterator[bytes]:
    for text in [*_INJECTIONS, *STRINGS[::5]]:
        word = quote(f"{text}{CANARY}", safe="").encode("ascii")
        yield request(b"GET", API + b"/users/" + word)
        yield request(b"GET", b"/" + word)
        yield request(b"DELETE", API + b"/roles/" + word)
        yield request(b"GET", API + b"/users?q=" + word + b"&" + word + b"=1")
    for strange in (
        b"%",
        b"%zz",
        b"%00",
        b"%ff%fe",
        b"%C0%AE",
        b"//",
        b"/./",
        b"/%2e%2e/",
        b";a=b",
    ):
        yield request(b"GET", API + b"/users/" + strange + CANARY.encode())


def in_headers() -> Iterator[bytes]:
    names = [b"Authorization", b"X-Request-ID", b"If-Match", b"If-None-Match", b"Idempotency-Key"]
    names += [b"X-Forwarded-For", b"Accept", b"Origin", b"Content-Encoding", b"Cookie", b"Range"]
    names += [b"Upgrade", b"Connection", b"X-HTTP-Method-Override", b"Forwarded", b"User-Agent"]
    for number, text in enumerate([*_INJECTIONS, *STRINGS[::3]]):
        clean = "".join(c for c in text if c not in "\r\n\0" and c >= " " and c != "\x7f")
        value = f"{clean}{CANARY}!".encode("utf-8", "surrogatepass")  # with ! no sane request id
        name = names[number % len(names)]
        yield request(b"GET", API + b"/users/me", name + b": " + value)
        yield request(b"GET", API + b"/users/me", name + b": Bearer " + value, name + b": " + value)


def in_bodies() -> Iterator[bytes]:
    word = CANARY.encode()
    for path in sorted((VECTORS / "json_parsing").glob("n_*.json")):
        if body := path.read_bytes():
            yield request(b"POST", API + b"/auth/login", body=body)
    for text in [*_INJECTIONS, *STRINGS[::4]]:
        fields = {"email": f"{text}{CANARY}@a.example", "password": f"{text}{CANARY}"}
        yield request(b"POST", API + b"/auth/login", body=json.dumps(fields).encode())
        refresh = json.dumps({"refresh_token": text + CANARY, text + CANARY: 1})
        yield request(b"POST", API + b"/auth/refresh", body=refresh.encode())
    for body in (b"null", b"[]", b'"' + word + b'"', b"{}" * 9, b"\xff" + word, b'{"a":' * 9000):
        yield request(b"POST", API + b"/auth/register", body=body)
    for form in (b"text/plain", b"application/xml", b"multipart/form-data; boundary=" + word, b"/"):
        yield request(b"POST", API + b"/auth/login", body=b"{}", form=form)
    packed = b"Content-Encoding: gzip"
    yield request(b"POST", API + b"/auth/login", packed, body=b"\x1f\x8b\x08" + word)


def in_methods() -> Iterator[bytes]:
    for method in (b"TRACE", b"BREW", b"PROPFIND", b"OPTIONS", b"CANARY7301", b"DELETE"):
        for path in (b"/health", b"/nowhere", API + b"/auth/login", b"*"):
            yield request(method, path)


ATTACKS = [
    *in_paths_and_queries(),
    *in_headers(),
    *in_bodies(),
    *in_methods(),
    *(data.removesuffix(SMUGGLED) for data in BAD.values()),
]
