"""Whose address a request is taken to come from."""

import pytest

from service.transport.addresses import Callers

PROXIES = ["10.0.0.0/8", "2001:db8::/32"]


def test_without_trusted_proxies_only_the_peer_counts() -> None:
    assert Callers().address("192.0.2.1", ["198.51.100.7"]) == "192.0.2.1"


def test_a_peer_that_is_no_trusted_proxy_is_not_believed() -> None:
    assert Callers(PROXIES).address("192.0.2.1", ["198.51.100.7"]) == "192.0.2.1"


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
        (["198.51.100.7, fe80::1%eth0"], "10.0.0.1"),
        (["6.6.6.6, <script>, 10.2.2.2"], "10.2.2.2"),
        ([""], "10.0.0.1"),
        ([], "10.0.0.1"),
    ],
)
def test_behind_proxies_the_right_most_stranger_is_the_caller(
    forwarded: list[str], address: str
) -> None:
    assert Callers(PROXIES).address("10.0.0.1", forwarded) == address


def test_a_mapped_peer_is_the_address_of_ipv4_that_it_maps() -> None:
    assert Callers(PROXIES).address("::ffff:10.0.0.1", ["198.51.100.7"]) == "198.51.100.7"


def test_a_peer_on_a_unix_socket_has_no_address() -> None:
    assert Callers(PROXIES).address("", ["198.51.100.7"]) == ""
