"""Where a URL that came from outside may lead."""

from ipaddress import ip_address, ip_network

import pytest

from ikegw.download.destinations import is_allowed


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::1", "2001:db8::1",
    ],
)  # fmt: skip
def test_never_to_what_is_not_public(address: str) -> None:
    assert not is_allowed(ip_address(address), ())


@pytest.mark.parametrize("address", ["9.9.9.9", "2620:fe::fe", "::ffff:9.9.9.9", "64:ff9b::909:909"])
def test_to_the_public_internet(address: str) -> None:
    assert is_allowed(ip_address(address), ())


def test_to_what_the_operator_lists() -> None:
    networks = (ip_network("10.1.0.0/16"), ip_network("fd00:1::/32"))
    assert is_allowed(ip_address("10.1.2.3"), networks)
    assert is_allowed(ip_address("::ffff:10.1.2.3"), networks)
    assert is_allowed(ip_address("fd00:1::7"), networks)
    assert not is_allowed(ip_address("10.2.0.1"), networks)
