"""What an Access-Accept grants: every attribute that counts, and what is left out."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

import pytest
from memory_pair import make_pair

from ikegw.radius.granting import grant, msk
from ikegw.radius.packets import Attribute, BadReply, Code, Reply
from ikegw.session import NOTHING_GRANTED, Grant, Termination


def accepted(*attributes: Attribute) -> Reply:
    """The Accept as it comes out of a packet."""
    p = make_pair()
    answer = p.ask()
    p.server.asked[0].answer(Code.ACCESS_ACCEPT, *attributes)
    reply = answer.value
    assert isinstance(reply, Reply)
    return reply


def granted(*attributes: Attribute) -> Grant:
    complaints: list[str] = []
    found = grant(accepted(*attributes), complaints.append)
    assert not complaints
    return found


def test_an_empty_one_grants_nothing_in_particular() -> None:
    assert granted() == NOTHING_GRANTED


def test_everything_at_once() -> None:
    assert granted(
        ("User-Name", "Alice"),
        ("Framed-IP-Address", "10.99.0.5"),
        ("Framed-IP-Netmask", "255.255.255.0"),
        ("Framed-IPv6-Address", "2001:db8:99::5"),
        ("Framed-Pool", "gold"),
        ("Framed-Pool", "silver"),
        ("Framed-IPv6-Pool", "gold6"),
        ("Framed-Route", "10.77.0.0/24 10.99.0.7 1"),
        ("Framed-IPv6-Route", "2001:db8:77::/48 2001:db8::1 1"),
        ("Delegated-IPv6-Prefix", "2001:db8:88::/56"),
        ("MS-Primary-DNS-Server", "10.99.0.1"),
        ("MS-Secondary-DNS-Server", "10.99.0.2"),
        ("DNS-Server-IPv6-Address", "2001:db8::53"),
        ("MS-Primary-NBNS-Server", "10.99.0.3"),
        ("MS-Secondary-NBNS-Server", "10.99.0.4"),
        ("Class", b"\xff\x00binary"),
        ("Class", b"0x41"),
        ("Filter-Id", "staff"),
        ("Session-Timeout", 3600),
        ("Termination-Action", "RADIUS-Request"),
        ("Idle-Timeout", 600),
        ("Acct-Interim-Interval", 300),
        ("Reply-Message", "welcome,"),
        ("Reply-Message", "alice\n"),
        ("Port-Limit", 2),
    ) == Grant(
        user_name="Alice",
        ip4=IPv4Address("10.99.0.5"),
        ip4_netmask=IPv4Address("255.255.255.0"),
        ip6=IPv6Address("2001:db8:99::5"),
        pools4=("gold", "silver"),
        pools6=("gold6",),
        routes=(
            IPv4Network("10.77.0.0/24"),
            IPv6Network("2001:db8:77::/48"),
            IPv6Network("2001:db8:88::/56"),
        ),
        dns=(IPv4Address("10.99.0.1"), IPv4Address("10.99.0.2"), IPv6Address("2001:db8::53")),
        nbns=(IPv4Address("10.99.0.3"), IPv4Address("10.99.0.4")),
        classes=(b"\xff\x00binary", b"0x41"),
        filters=("staff",),
        session_seconds=3600,
        termination=Termination.REAUTHENTICATE,
        idle_seconds=600,
        interim_seconds=300,
        message="welcome, alice",
        port_limit=2,
    )


@pytest.mark.parametrize("chosen", ["255.255.255.254", "255.255.255.255", "0.0.0.0"])
def test_an_address_that_others_may_choose_is_none(chosen: str) -> None:
    assert granted(("Framed-IP-Address", chosen)).ip4 is None


def test_an_interim_interval_below_the_least_is_lengthened() -> None:
    assert granted(("Acct-Interim-Interval", 5)).interim_seconds == 60


def test_no_seconds_are_no_limit() -> None:
    found = granted(("Session-Timeout", 0), ("Idle-Timeout", 0), ("Acct-Interim-Interval", 0))
    assert found == NOTHING_GRANTED


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.77.0.9/24", "10.77.0.0/24"),
        ("10.77.0.0/255.255.0.0 0.0.0.0", "10.77.0.0/16"),
        ("10.0.0.0 10.99.0.7 1", "10.0.0.0/8"),
        ("172.16.0.0", "172.16.0.0/16"),
        ("192.168.3.0", "192.168.3.0/24"),
        ("192.168.3.7", "192.168.3.7/32"),
    ],
)
def test_routes_as_operators_write_them(text: str, network: str) -> None:
    assert granted(("Framed-Route", text)).routes == (IPv4Network(network),)


@pytest.mark.parametrize(
    ("attribute", "complaint"),
    [
        (("Framed-Route", "to nowhere"), "Framed-Route 'to nowhere' names no network and is left out"),
        (("Framed-Route", "2001:db8::/32"), "Framed-Route '2001:db8::/32' is not IPv4 and is left out"),
        (("Framed-IPv6-Route", "10.0.0.0/8"), "Framed-IPv6-Route '10.0.0.0/8' is not IPv6 and is left out"),
        (("Framed-Route", "10.0.0.0/33"), "Framed-Route '10.0.0.0/33' names no network and is left out"),
    ],
)
def test_what_is_no_route_is_left_out_and_told(attribute: Any, complaint: str) -> None:
    complaints: list[str] = []
    assert grant(accepted(attribute, ("Filter-Id", "staff")), complaints.append).filters == ("staff",)
    assert complaints == [complaint]


class TestKeys:
    @pytest.mark.parametrize("octets", [16, 32])
    def test_they_make_the_MSK_together(self, octets: int) -> None:
        receive, send = "r" * octets, "s" * octets
        reply = accepted(("MS-MPPE-Send-Key", send), ("MS-MPPE-Recv-Key", receive))
        assert msk(reply) == (receive + send).encode().ljust(64, b"\0")

    def test_there_may_be_none(self) -> None:
        assert msk(accepted()) is None

    @pytest.mark.parametrize(
        "keys",
        [
            (("MS-MPPE-Recv-Key", "r" * 32),),
            (("MS-MPPE-Recv-Key", "r" * 33), ("MS-MPPE-Send-Key", "s" * 32)),
            (("MS-MPPE-Recv-Key", "r" * 32), ("MS-MPPE-Recv-Key", "r" * 32), ("MS-MPPE-Send-Key", "s" * 32)),
        ],
    )
    def test_half_of_it_or_too_much_is_the_servers_fault(self, keys: Any) -> None:
        reply = accepted(*keys)
        with pytest.raises(BadReply):
            msk(reply)

    def test_they_are_in_no_repr(self) -> None:
        reply = accepted(("MS-MPPE-Send-Key", "s" * 32), ("MS-MPPE-Recv-Key", "r" * 32))
        assert "rrrr" not in repr(reply)
