"""What programs call themselves, in plain words; nothing they write can do harm."""

import pytest

from service.auth.devices import AGENT_MAX, address_of, agent_of, device_of
from service.core.access import Actor

LINUX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
WINDOWS = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/126.0.0.0 Safari/537.36"
ANDROID = f"Mozilla/5.0 (Linux; Android 14; SM-S921B) {WEBKIT}"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"

WORDS = {
    LINUX: "Firefox on Linux",
    WINDOWS: "Chrome on Windows",
    f"{WINDOWS} Edg/126.0.2592.68": "Edge on Windows",
    f"{WINDOWS} OPR/111.0.0.0": "Opera on Windows",
    f"{WINDOWS} Vivaldi/6.8": "Vivaldi on Windows",
    f"{ANDROID} Chrome/126.0.0.0 Mobile Safari/537.36": "Chrome on Android",
    f"{ANDROID} SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36": (
        "Samsung Internet on Android"
    ),
    f"{IPHONE} Version/17.5 Mobile/15E148 Safari/604.1": "Safari on iPhone",
    f"{IPHONE} CriOS/126.0 Mobile/15E148 Safari/604.1": "Chrome on iPhone",
    f"{IPHONE} FxiOS/127.0 Mobile/15E148 Safari/605.1.15": "Firefox on iPhone",
    f"{MAC} Version/17.5 Safari/605.1.15": "Safari on macOS",
    "curl/8.5.0": "curl",
    "python-httpx/0.28.1": "python-httpx",
    "grpc-python-grpclib/0.4.9 (linux; cpython/3.11.7)": "grpc-python-grpclib",
    "grpc-go/1.64.0": "grpc-go",
    "okhttp/4.12.0": "okhttp",
    "Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/AP1A)": "Dalvik on Android",
    "OurApp/3.2 (iPhone; iOS 17.5)": "OurApp on iPhone",
    "Mozilla/5.0 (compatible; Somebot/2.1)": "Mozilla",
    "curl": "curl",
    "/": "unknown",
    "x" * AGENT_MAX: "x" * 40,
}


@pytest.mark.parametrize("agent", WORDS)
def test_an_agent_in_plain_words(agent: str) -> None:
    assert device_of(agent) == WORDS[agent]


@pytest.mark.parametrize("agent", [None, ""])
def test_who_says_nothing_has_no_device(agent: str | None) -> None:
    assert device_of(agent) is None


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("", None),
        ("  \t ", None),
        ("\x00\x1b\x7f\u202e\ud800", None),
        (" curl/8 ", "curl/8"),
        ("a\r\nSet-Cookie: b\x1b[31m", "aSet-Cookie: b[31m"),
        ("\u202egnp.exe", "gnp.exe"),
        ("half \ud83d of a pair", "half  of a pair"),
        ("💻 программа", "💻 программа"),
        ("x" * 10_000, "x" * AGENT_MAX),
    ],
)
def test_an_agent_is_kept_as_one_bounded_line(said: str, kept: str | None) -> None:
    assert agent_of(Actor(agent=said)) == kept


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("", None),
        ("x" * 46, None),
    ],
)
def test_an_address_is_kept_if_it_may_be_one(address: str, kept: str | None) -> None:
    assert address_of(Actor(address=address)) == kept
