"""Which addresses are refused, and that it is said why."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callout.kit.net import AddressGuard, AddressRefused

CLOSED = AddressGuard()

REFUSED = [
    ("127.0.0.1", "loopback"),
    ("127.255.0.9", "loopback"),
    ("::1", "loopback"),
    ("10.1.2.3", "private"),
    ("172.16.0.1", "private"),
    ("192.168.1.1", "private"),
    ("fd00:ec2::254", "private"),
    ("169.254.169.254", "link-local"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "link-local"),
    ("0.0.0.0", "unspecified"),  # noqa: S104
    ("0.1.2.3", "unspecified"),
    ("::", "unspecified"),
    ("100.64.0.1", "carrier-grade NAT"),
    ("100.100.100.200", "carrier-grade NAT"),
    ("168.63.129.16", "cloud metadata"),
    ("192.0.0.192", "protocol assignment"),
    ("198.18.0.1", "benchmarking"),
    ("224.0.0.1", "multicast"),
    ("ff02::1", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "reserved"),
    ("192.0.2.1", "private"),
    ("2001:db8::1", "private"),
    ("::ffff:127.0.0.1", "IPv4-mapped (loopback)"),
    ("::ffff:8.8.8.8", "IPv4-mapped (public)"),
    ("::127.0.0.1", "IPv4-compatible"),
    ("64:ff9b::7f00:1", "NAT64 (loopback)"),
    ("64:ff9b::a9fe:a9fe", "NAT64 (link-local)"),
    ("64:ff9b:1::1", "local NAT64"),
    ("2002:7f00:1::", "6to4"),
    ("2001:0:1::1", "Teredo"),
    ("fec0::1", "site-local"),
]


@pytest.mark.parametrize(("address", "reason"), REFUSED)
def test_an_inner_address_is_refused_by_its_kind(address: str, reason: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        CLOSED.check_address(address, host="crm.example")
    assert refused.value.reason == reason
    assert reason in str(refused.value)
    assert refused.value.address == str(ipaddress.ip_address(address.partition("%")[0]))
    assert refused.value.address in str(refused.value)
    assert "crm.example" in str(refused.value)
    assert "CALLOUT_ALLOW_NETWORKS" in str(refused.value)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::808:808"])
def test_a_public_address_passes(address: str) -> None:
    CLOSED.check_address(address, host="x")


@given(st.ip_addresses())
def test_nothing_passes_that_python_does_not_call_global(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if CLOSED.reason_to_refuse(address) is None:
        assert address.is_global
        assert not address.is_multicast


@given(st.ip_addresses(v=4))
def test_an_inner_ipv4_address_stays_refused_in_any_ipv6_dress(address: ipaddress.IPv4Address) -> None:
    if CLOSED.reason_to_refuse(address) is None:
        return
    for prefix in ("::ffff:0:0", "::", "64:ff9b::"):
        dressed = ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | int(address))
        assert CLOSED.reason_to_refuse(dressed) is not None


def test_the_operator_may_allow_networks() -> None:
    guard = AddressGuard.parse("10.0.0.0/8, ::1  192.168.1.7")
    for passed in ("10.9.9.9", "::1", "192.168.1.7", "::ffff:10.9.9.9"):
        guard.check_address(passed, host="x")
    for refused in ("192.168.1.8", "127.0.0.1", "::2"):
        with pytest.raises(AddressRefused):
            guard.check_address(refused, host="x")
    with pytest.raises(ValueError, match=r"CALLOUT_ALLOW_NETWORKS: 'localhost'"):
        AddressGuard.parse("localhost")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://127.0.0.1/x", "loopback"),
        ("https://[::1]:8443/", "loopback"),
        ("https://[::ffff:169.254.169.254]/", "IPv4-mapped (link-local)"),
        ("http://8.8.8.8/", "plain http"),
        ("ftp://example.com/", "bad scheme"),
        ("//example.com/", "bad scheme"),
        ("https:///path", "bad URL"),
        ("https://user:pw@example.com/", "user name in URL"),
        ("https://exam ple.com/", "bad URL"),
        ("https://a\\@b/", "bad URL"),
        ("https://example.com:99999/", "bad URL"),
        ("https://[half/", "bad URL"),
        ("https://127.1/", "bad URL"),
        ("https://2130706433/", "bad URL"),
        ("https://0x7f.0.0.0x1/", "bad URL"),
        ("https://127.0.0.1./", "bad URL"),
    ],
)
def test_a_url_is_judged_without_looking_it_up(url: str, reason: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        CLOSED.check_url(url)
    assert refused.value.reason == reason
    assert "pw" not in str(refused.value)


def test_plain_http_is_for_allowed_addresses_only() -> None:
    guard = AddressGuard.parse("127.0.0.0/8")
    guard.check_url("http://127.0.0.1:9100/jira")
    guard.check_addresses("http://twin.local/", ["127.0.0.1"])
    with pytest.raises(AddressRefused, match="plain http to twin"):
        guard.check_addresses("http://twin.local/", ["127.0.0.1", "8.8.8.8"])
    guard.check_addresses("https://twin.local/", ["127.0.0.1", "8.8.8.8"])
    AddressGuard(require_https=False).check_url("http://8.8.8.8/")


def test_one_bad_address_refuses_the_name() -> None:
    with pytest.raises(
        AddressRefused, match=r"rebind\.example resolves to 10\.0\.0\.1, which is refused: private"
    ):
        CLOSED.check_addresses("https://rebind.example/", ["8.8.8.8", "10.0.0.1"])


async def test_a_user_is_told_early_what_a_name_means_now() -> None:
    with pytest.raises(AddressRefused, match="localhost resolves to"):
        await CLOSED.check_resolved("https://localhost/")
    await AddressGuard.parse("127.0.0.0/8,::1").check_resolved("http://localhost:1/")
