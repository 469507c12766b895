"""Whose address a request is taken to come from."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from multidict import CIMultiDict

from service.transport.http.addresses import Callers

PROXIES = ["10.0.0.0/8", "2001:db8::/32"]


def asked(peer: str, *forwarded: str) -> Any:
    headers = CIMultiDict(("X-Forwarded-For", value) for value in forwarded)
    return cast(Any, SimpleNamespace(ip=peer, headers=headers))


def test_without_trusted_proxies_only_the_peer_counts() -> None:
    assert Callers().address(asked("192.0.2.1", "198.51.100.7")) == "192.0.2.1"


def test_a_peer_that_is_no_trusted_proxy_is_not_believed() -> None:
    assert Callers(PROXIES).address(asked("192.0.2.1", "198.51.100.7")) == "192.0.2.1"


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        (["198.51.100.7"], "198.51.100.7"),
        (["6.6.6.6, 198.51.100.7"], "198.51.100.7"),
        (["6.6.6.6", "198.51.100.7, 10.9.9.9"], "198.51.100.7"),
        (["6.6.6.6, 198.51.100.7", "10.9.9.9"], "198.51.100.7"),
        (["198.51.100.7:4711"], "198.51.100.7"),
        (["[2001:4860::1]:4711"], "2001:4860::1"),
        (["2001:4860::1"], "2001:4860::1"),
        (["::ffff:198.51.100.7"], "198.51.100.7"),
        (["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        (["198.51.100.7, unknown"], "10.0.0.1"),
        (["6.6.6.6, <script>, 10.2.2.2"], "10.2.2.2"),
        ([""], "10.0.0.1"),
        ([], "10.0.0.1"),
    ],
)
def test_behind_proxies_the_right_most_stranger_is_the_caller(
    forwarded: list[str], address: str
) -> None:
    assert Callers(PROXIES).address(asked("10.0.0.1", *forwarded)) == address


def test_a_mapped_peer_is_the_address_of_ipv4_that_it_maps() -> None:
    assert Callers(PROXIES).address(asked("::ffff:10.0.0.1", "198.51.100.7")) == "198.51.100.7"


def test_a_peer_on_a_unix_socket_has_no_address() -> None:
    assert Callers(PROXIES).address(asked("", "198.51.100.7")) == ""
