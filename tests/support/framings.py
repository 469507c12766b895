"""Requests that two readers could read differently, and ones that only look odd.

Each bad one is followed by a good request to SMUGGLED, which nobody sent: it must never be served.
"""

from collections.abc import Iterator

HOST = b"Host: a\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked"
LAST = b"0\r\n\r\n"


def post(fields: bytes, body: bytes = b"", *, host: bytes = HOST, version: bytes = b"1.1") -> bytes:
    return b"POST /echo HTTP/" + version + b"\r\n" + host + fields + b"\r\n\r\n" + body


def get(*fields: bytes, host: bytes = HOST, line: bytes = b"GET /echo HTTP/1.1") -> bytes:
    return line + b"\r\n" + host + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


def _lengths() -> Iterator[tuple[str, bytes]]:
    for name, value in {
        "arabic digits": "٥".encode(),
        "full-width digits": "５".encode(),
        "plus": b"+5",
        "minus": b"-5",
        "list": b"5, 5",
        "underscore": b"5_0",
        "hexadecimal": b"0x5",
        "empty": b"",
        "fraction": b"5.0",
        "exponent": b"5e0",
        "blank inside": b"5 0",
        "no-break space": b"\xa05",
        "vertical tab": b"\x0b5",
        "twenty digits": b"5".zfill(20),
        "five thousand digits": b"5".zfill(5000),
        "words": b"five",
    }.items():
        yield f"length: {name}", post(b"Content-Length: " + value, b"hello")
    yield "length: space before the colon", post(b"Content-Length : 5", b"hello")
    yield "length: tab before the colon", post(b"Content-Length\t: 5", b"hello")
    yield "length: space before the name", post(b" Content-Length: 5", b"hello")
    yield "length: twice the same", post(b"Content-Length: 5\r\nContent-Length: 5", b"hello")
    yield "length: twice, different", post(b"Content-Length: 5\r\ncontent-length: 0", b"hello")
    yield "length: folded", post(b"Content-Length:\r\n 5", b"hello")


def _codings() -> Iterator[tuple[str, bytes]]:
    for name, value in {
        "identity": b"identity",
        "gzip and chunked": b"gzip, chunked",
        "chunked twice": b"chunked, chunked",
        "x before": b"xchunked",
        "x behind": b"chunkedx",
        "comma behind": b"chunked,",
        "in capitals": b"Chunked",
        "in quotes": b'"chunked"',
        "with a parameter": b"chunked;a=b",
        "vertical tab": b"\x0bchunked",
        "form feed": b"chunked\x0c",
        "no-break space": b"\xa0chunked",
        "empty": b"",
    }.items():
        yield f"coding: {name}", post(b"Transfer-Encoding: " + value, LAST)
    yield "coding: and a length", post(b"Content-Length: 5\r\n" + CHUNKED, LAST)
    yield "coding: before a length", post(CHUNKED + b"\r\nContent-Length: 5", LAST)
    yield "coding: space before the colon", post(b"Transfer-Encoding : chunked", LAST)
    yield "coding: twice", post(CHUNKED + b"\r\n" + CHUNKED, LAST)
    yield "coding: folded", post(b"Transfer-Encoding:\r\n chunked", LAST)
    yield "coding: in HTTP/1.0", post(CHUNKED, LAST, version=b"1.0")


def _chunks() -> Iterator[tuple[str, bytes]]:
    for name, body in {
        "0x": b"0x31\r\n" + b"a" * 49 + b"\r\n",
        "plus": b"+1\r\na\r\n",
        "minus": b"-1\r\na\r\n",
        "underscore": b"1_0\r\n" + b"a" * 16 + b"\r\n",
        "blank before": b" 1\r\na\r\n",
        "blank behind": b"1 \r\na\r\n",
        "tab behind": b"1\t\r\na\r\n",
        "junk behind": b"1zz\r\na\r\n",
        "no size": b"\r\na\r\n",
        "arabic digits": "٥\r\nhello\r\n".encode(),
        "seventeen digits": b"00000000000000005\r\nhello\r\n",
        "more than 64 bits": b"f" * 17 + b"\r\nhello\r\n",
        "no line end behind the data": b"5\r\nhelloXX",
        "more data than said": b"5\r\nhello world\r\n",
        "LF alone": b"5\nhello\n",
        "CR alone": b"5\rhello\r\n",
        "LF behind the data": b"5\r\nhello\n",
        "extension with LF": b"5;a\nb\r\nhello\r\n",
        "extension with CR": b"5;a\rb\r\nhello\r\n",
        "extension with NUL": b"5;\0\r\nhello\r\n",
        "extension of 4 KiB": b"5;" + b"x" * 4096 + b"\r\nhello\r\n",
        "bad second": b"5\r\nhello\r\n 1\r\na\r\n",
        "trailer": b"0\r\nX: 1\r\n\r\n",
        "trailer that ends a length": b"0\r\nContent-Length: 5\r\n\r\n",
        "last 0x0": b"0x0\r\n\r\n",
        "last without the empty line": b"0\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    }.items():
        yield f"chunk: {name}", post(CHUNKED, body + LAST)
    yield (
        "chunk: bad, with Expect",
        post(b"Expect: 100-continue\r\n" + CHUNKED, b"0x1\r\na\r\n" + LAST),
    )
    yield "chunk: too many", post(CHUNKED, b"1\r\na\r\n" * 5000 + LAST)


def _headers() -> Iterator[tuple[str, bytes]]:
    for name, line in {
        "NUL in a value": b"X: a\0b",
        "CR in a value": b"X: a\rb",
        "LF in a value": b"X: a\nY: b",
        "DEL in a value": b"X: a\x7fb",
        "ESC in a value": b"X: \x1b[2J",
        "NUL in a name": b"X\0: a",
        "folded": b"X: a\r\n b",
        "folded with a tab": b"X: a\r\n\tb",
        "no colon": b"X",
        "no name": b": x",
        "a bracket in the name": b"X(: x",
        "a letter beyond ASCII in the name": "Ä: x".encode(),
        "a blank in the name": b"X Y: z",
        "a blank before the colon": b"X : y",
        "CR CR LF": b"X: a\r",
    }.items():
        yield f"header: {name}", get(line)
    yield "header: folded first line", get(host=b" Host: a\r\n")


def _hosts() -> Iterator[tuple[str, bytes]]:
    for name, lines in {
        "none": b"X: a\r\n",
        "two": HOST + HOST,
        "two of different case": HOST + b"HOST: b\r\n",
        "empty": b"Host:\r\n",
        "space before the colon": b"Host : a\r\n",
        "a blank inside": b"Host: a b\r\n",
        "a list": b"Host: a, b\r\n",
        "a path": b"Host: a/b\r\n",
        "a user": b"Host: u@a\r\n",
        "a query": b"Host: a?b\r\n",
        "a port in words": b"Host: a:http\r\n",
        "two ports": b"Host: a:1:2\r\n",
        "an open bracket": b"Host: [::1\r\n",
        "a colon in brackets": b"Host: [:]\r\n",
        "a dot in brackets": b"Host: [.]:80\r\n",
        "IPv4 in brackets": b"Host: [127.0.0.1]\r\n",
        "nine groups in brackets": b"Host: [1:2:3:4:5:6:7:8:9]\r\n",
        "beyond ASCII": "Host: ä\r\n".encode(),
        "backslash": b"Host: a\\b\r\n",
        "quotes": b'Host: "a"\r\n',
        "two in HTTP/1.0": HOST + HOST,
    }.items():
        if name == "two in HTTP/1.0":
            yield f"host: {name}", get(host=lines, line=b"GET /echo HTTP/1.0")
        else:
            yield f"host: {name}", get(host=lines)


def _lines() -> Iterator[tuple[str, bytes]]:
    for name, line in {
        "method with an at sign": b"G@T /echo HTTP/1.1",
        "method in small letters": b"get /echo HTTP/1.1",
        "head in small letters": b"head /echo HTTP/1.1",
        "method in mixed letters": b"Get /echo HTTP/1.1",
        "no method": b" /echo HTTP/1.1",
        "method beyond ASCII": "GÉT /echo HTTP/1.1".encode(),
        "two spaces": b"GET  /echo HTTP/1.1",
        "a tab": b"GET\t/echo HTTP/1.1",
        "a space behind": b"GET /echo HTTP/1.1 ",
        "a space in the target": b"GET /echo /x HTTP/1.1",
        "NUL in the target": b"GET /\0 HTTP/1.1",
        "eight bits in the target": b"GET /\xc3\xa9 HTTP/1.1",
        "a fragment in the target": b"GET /echo#x HTTP/1.1",
        "HTTP/1.2": b"GET /echo HTTP/1.2",
        "HTTP/2.0": b"GET /echo HTTP/2.0",
        "HTTP/11": b"GET /echo HTTP/11",
        "HTTP/1.10": b"GET /echo HTTP/1.10",
        "http in small letters": b"GET /echo http/1.1",
        "another protocol": b"GET /echo SIP/1.1",
        "no version": b"GET /echo",
        "no target": b"GET HTTP/1.1",
        "an empty line before": b"\r\nGET /echo HTTP/1.1",
        "a CR before": b"\rGET /echo HTTP/1.1",
    }.items():
        yield f"line: {name}", get(line=line)
    yield "line: HTTP/0.9", b"GET /echo\r\n\r\n"
    yield "line: LF alone", b"GET /echo HTTP/1.1\nHost: a\n\n"
    yield "line: HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    yield "line: a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    yield "line: nonsense", b"rubbish\r\n\r\n"


BAD: dict[str, bytes] = {
    name: data + SMUGGLED
    for group in (_lengths, _codings, _chunks, _headers, _hosts, _lines)
    for name, data in group()
}

GOOD: dict[str, tuple[bytes, list[int]]] = {
    "plain": (get(), [200]),
    "HTTP/1.0 without Host": (get(host=b"", line=b"GET /echo HTTP/1.0"), [200]),
    "three at once": (get() * 3, [200, 200, 200]),
    "a body and the next": (post(b"Content-Length: 5", b"hello") + get(), [200, 200]),
    "blanks around a length": (post(b"Content-Length: \t5 \t", b"hello") + get(), [200, 200]),
    "leading zeros": (post(b"Content-Length: 005", b"hello") + get(), [200, 200]),
    "a length of nothing": (post(b"Content-Length: 0") + get(), [200, 200]),
    "a body with GET": (
        get(b"Content-Length: 5") + b"hello" + get(),
        [200, 200],
    ),
    "chunks": (post(CHUNKED, b"5\r\nhello\r\n1\r\na\r\n" + LAST) + get(), [200, 200]),
    "an extension": (post(CHUNKED, b'5;a="b c"\r\nhello\r\n' + LAST) + get(), [200, 200]),
    "an extension behind a blank": (post(CHUNKED, b"5 ;a\r\nhello\r\n" + LAST) + get(), [200, 200]),
    "capital digits": (post(CHUNKED, b"A\r\n" + b"x" * 10 + b"\r\n00\r\n\r\n") + get(), [200, 200]),
    "no chunks": (post(CHUNKED, LAST) + get(), [200, 200]),
    "chunks to no address": (
        post(CHUNKED, b"5\r\nhello\r\n" + LAST).replace(b"/echo", b"/no") + get(),
        [404, 200],
    ),
    "Expect": (
        post(b"Expect: 100-continue\r\nContent-Length: 5", b"hello") + get(),
        [100, 200, 200],
    ),
    "Expect with chunks": (
        post(b"Expect: 100-continue\r\n" + CHUNKED, b"5\r\nhello\r\n" + LAST) + get(),
        [100, 200, 200],
    ),
    "Expect in HTTP/1.0": (
        post(b"Expect: 100-continue\r\nContent-Length: 5", b"hello", version=b"1.0"),
        [200],
    ),
    "Expect of no body": (get(b"Expect: 100-continue") + get(), [200, 200]),
    "Expect of a length of nothing": (
        post(b"Expect: 100-continue\r\nContent-Length: 0") + get(),
        [200, 200],
    ),
    "Expect of a length of nothing, to no address": (
        post(b"Expect: 100-continue\r\nContent-Length: 0").replace(b"/echo", b"/no") + get(),
        [404, 200],
    ),
    "an address as Host": (get(host=b"Host: 127.0.0.1:5000\r\n"), [200]),
    "IPv6 as Host": (get(host=b"Host: [::1]:80\r\n"), [200]),
    "IPv4 in IPv6 as Host": (get(host=b"Host: [::FFFF:127.0.0.1]\r\n"), [200]),
    "Host without blank": (get(host=b"host:a\r\n"), [200]),
    "an absolute target": (get(line=b"GET http://a/echo HTTP/1.1"), [200]),
    "an absolute target without a path": (get(line=b"GET http://a HTTP/1.1"), [404]),
    "an absolute target with a port": (get(line=b"POST http://a:80 HTTP/1.1"), [404]),
    "an absolute target with a query": (get(line=b"OPTIONS http://a?x=1 HTTP/1.1"), [404]),
    "an absolute target of any scheme": (get(line=b"BREW a://b HTTP/1.1"), [405]),
    "UTF-8 and a tab in a value": (get("X: é\t ok".encode()), [200]),
    "an empty value": (get(b"X:"), [200]),
    "every sign in a name": (get(b"!#$%&'*+-.^_`|~0aZ: x"), [200]),
    "a hundred headers": (get(*[b"X-%d: %s" % (i, b"v" * 50) for i in range(100)]), [200]),
    "a preflight": (get(line=b"OPTIONS /echo HTTP/1.1"), [405]),
    "an unknown method": (get(line=b"BREW-2 /echo HTTP/1.1") + get(), [405, 200]),
}
"""What is fine, and the statuses that come back; the connection stays but for HTTP/1.0."""
