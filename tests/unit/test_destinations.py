"""Where webhooks may lead: what an address must look like, and what is nobody's business."""

from ipaddress import ip_address, ip_network

import pytest

from service.core.destinations import Destinations, is_public, normal_host, normal_url

PRIVATE = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.9.9.9"),
    *("169.254.169.254", "169.254.0.1", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1"),
    *("192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1"),
    *("239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::a00:1", "64:ff9b:1::1"),
    *(
        "2002:7f00:1::",
        "2002:c0a8:101::1",
        "2002:808:808::1",
        "2001:0:7f00:1::",
        "2001:0:808:808::",
    ),
    *("fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd12:3456::1", "ff02::1", "2001:db8::1"),
    *("100::1", "3fff::1", "5f00::1", "2606:4700::1111%eth0"),
]
PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "198.20.0.1"),
    *("2606:4700:4700::1111", "2a00:1450:4001::1", "::ffff:8.8.8.8", "64:ff9b::808:808"),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_nothing_is_sent_to_what_is_not_everybody_s(address: str) -> None:
    assert not is_public(ip_address(address))
    assert not Destinations().may_reach("example.com", address)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_everybody_s_is_reached(address: str) -> None:
    assert is_public(ip_address(address))
    assert Destinations().may_reach("example.com", address)


def test_an_allowed_name_may_lead_inside_but_not_to_a_cloud_s_metadata() -> None:
    allowed = Destinations.besides(["hooks.internal"])
    assert allowed.may_reach("hooks.internal", "10.0.0.1")
    assert allowed.may_reach("hooks.internal", "::1")
    assert not allowed.may_reach("other.internal", "10.0.0.1")
    for odd in ("169.254.169.254", "fe80::1", "224.0.0.1", "0.0.0.0", "::"):
        assert not allowed.may_reach("hooks.internal", odd)


def test_an_allowed_network_is_reached_by_any_name() -> None:
    allowed = Destinations.besides([ip_network("10.20.0.0/16"), ip_network("fd00::/8")])
    for address in ("10.20.3.4", "::ffff:10.20.3.4", "fd00::1"):
        assert allowed.may_reach("any.example", address)
    assert not allowed.may_reach("any.example", "10.21.0.1")
    assert not allowed.may_reach("any.example", "no address")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://Example.COM", "https://example.com/"),
        (" HTTPS://example.com:443/a?b=%20c ", "https://example.com/a?b=%20c"),
        ("https://example.com.:8443/A", "https://example.com:8443/A"),
        ("https://bücher.example/x", "https://xn--bcher-kva.example/x"),
        ("https://[2606:4700::1111]/", "https://[2606:4700::1111]/"),
        ("http://a:80/", "http://a/"),
        ("https://example.com?", "https://example.com/"),
    ],
)
def test_an_address_is_kept_in_one_form(given: str, kept: str) -> None:
    assert normal_url(given) == kept
    assert normal_url(kept) == kept


@pytest.mark.parametrize(
    "text",
    [
        *("", "example.com", "https://", "https:///x", "ftp://example.com", "javascript:alert(1)"),
        *("https://ada@example.com", "https://ada:pw@example.com", "https://@example.com"),
        *("https://example.com/#a", "https://example.com/#", "https://example.com:0/"),
        *("https://example.com:65536", "https://example.com:x", "https://exa mple.com"),
        *("https://example.com/\n", "https://exa\tmple.com", "https://example.com/\x00"),
        *("https://127.1/", "https://2130706433/", "https://0x7f.1/", "https://0x7f000001/"),
        *("https://a..b/", "https://-a.example/", "https://[::1/", "https://::1/", "https://%31/"),
        *("https://example.com/ü", "https://example.com\\@evil/", 'https://example.com/"'),
        "https://example.com/" + "a" * 2048,
    ],
)
def test_what_is_no_address_of_a_receiver_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^Must "):
        normal_url(text if text != "https://example.com/\n" else "https://exa\nmple.com/")


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.com/", "https://127.0.0.1/", "https://[::1]/", "https://10.0.0.1:8443/"),
        *("https://[::ffff:127.0.0.1]/", "http://8.8.8.8/", "https://169.254.169.254/"),
    ],
)
def test_plain_text_and_private_addresses_are_for_those_that_are_allowed(url: str) -> None:
    with pytest.raises(ValueError, match="WEBHOOK_HOSTS"):
        Destinations().check(url)
    everything = [ip_network(net) for net in ("0.0.0.0/1", "128.0.0.0/1", "::/1")]
    Destinations.besides(["example.com", *everything]).check(url)


def test_the_public_internet_needs_no_leave() -> None:
    for url in ("https://example.com/", "https://8.8.8.8:8443/", "https://[2606:4700::1111]/"):
        Destinations().check(url)


def test_hosts_are_compared_in_one_form() -> None:
    assert normal_host(" Bücher.Example. ") == "xn--bcher-kva.example"
    assert normal_host("[::1]") == "::1"
    for text in ("", "a b", "127.1", "http://a"):
        with pytest.raises(ValueError, match="Must have a host"):
            normal_host(text)
