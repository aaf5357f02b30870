"""DHCPv6 through the machine: Renew, then Rebind with any server, which Figure 9 does not have and RFC 8415 §18.2.5 does."""

import struct
from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Interface
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ikegw.config.dhcp import DhcpServers
from ikegw.dhcp.messages6 import read6
from ikegw.dhcp.packet6 import (
    decode_message,
    decode_relayed,
    encode_message,
    encode_options,
    encode_relayed,
    only,
)
from ikegw.dhcp.provider import DhcpProvider
from ikegw.dhcp.registry import Message6, Option6
from ikegw.dhcp.relay import Relay
from ikegw.events import Event
from ikegw.paths import Endpoint
from ikegw.policy.identities import parse_identity
from ikegw.ports import AddressRequest, Lease

ONE, OTHER = IPv6Address("2001:db8::2"), IPv6Address("2001:db8::3")
OURS = IPv6Address("2001:db8::1")
LENT = IPv6Address("fd00:60::10")
SETTINGS = DhcpServers("six", (ONE, OTHER), source6=OURS, link_address=IPv6Address("fd00:60::1"))


class Servers:
    """Two servers that know the same leases; `heard` is (who, what), `deaf` are those that hear nothing."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.heard: list[tuple[IPv6Address, str]] = []
        self.deaf: set[IPv6Address] = set()
        self.lends: Callable[[IPv6Address], IPv6Address] = lambda _: LENT
        self.relay = Relay(Endpoint(OURS, 547), read6, self._send, self.clock, self._random, 3)
        self.provider = DhcpProvider(SETTINGS, lambda _, __: self.relay, self.clock, list[Event]().append)
        self._numbers = 0

    def _random(self, octets: int) -> bytes:
        self._numbers += 1
        return self._numbers.to_bytes(octets, "big")

    def _send(self, octets: bytes, to: Endpoint) -> None:
        assert isinstance(to.address, IPv6Address)
        if to.address in self.deaf:
            return
        outer = decode_relayed(octets)
        inner = only(outer.options, Option6.RELAY_MESSAGE)
        assert inner is not None
        message = decode_message(*inner)
        self.heard.append((to.address, message.kind.name))
        named = only(message.options, Option6.SERVER_IDENTIFIER)
        if message.kind is Message6.RELEASE or (named and named[0] != to.address.packed):
            return
        client, association = (
            only(message.options, code) for code in (Option6.CLIENT_IDENTIFIER, Option6.IA_NA)
        )
        assert client is not None
        assert association is not None
        lent = struct.pack("!16sII", self.lends(to.address).packed, 400, 600)
        options = (
            (Option6.CLIENT_IDENTIFIER, client[0]),
            (Option6.SERVER_IDENTIFIER, to.address.packed),
            (
                Option6.IA_NA,
                association[0][:4] + struct.pack("!II", 0, 0) + encode_options([(Option6.IA_ADDRESS, lent)]),
            ),
        )
        kind = Message6.ADVERTISE if message.kind is Message6.SOLICIT else Message6.REPLY
        answer = encode_message(kind, message.transaction, options)
        reply = encode_relayed(
            Message6.RELAY_REPLY, outer.link, outer.peer, [(Option6.RELAY_MESSAGE, answer)]
        )
        self.clock.callLater(0.01, self.relay.datagram_received, reply, to)


def request() -> AddressRequest:
    return AddressRequest("roadwarriors", parse_identity("alice"), (), False, True)


def result(deferred: Deferred[Lease]) -> list[Any]:
    found: list[Any] = []
    deferred.addBoth(found.append)
    return found


def test_H_10_H_11_renewed_by_the_server_that_leased_it() -> None:
    servers = Servers()
    leased = result(servers.provider.lease(request()))
    servers.clock.pump([0.01, 0.01])
    (lease,) = leased
    assert lease.ip6 == IPv6Interface(f"{LENT}/128")
    assert lease.renew_seconds == pytest.approx(199.99), "half of the preferred time"
    renewed = result(servers.provider.renew(lease))
    servers.clock.advance(0.01)
    assert renewed[0].ip6 == lease.ip6
    servers.provider.release(lease)
    assert servers.heard == [
        (ONE, "SOLICIT"), (OTHER, "SOLICIT"), (ONE, "REQUEST"), (ONE, "RENEW"), (ONE, "RELEASE")
    ]  # fmt: skip


def test_H_13_any_server_may_rebind_it() -> None:
    servers = Servers()
    leased = result(servers.provider.lease(request()))
    servers.clock.pump([0.01, 0.01])
    servers.deaf, servers.heard = {ONE}, []
    renewed = result(servers.provider.renew(leased[0]))
    servers.clock.pump([0.5] * 20)
    assert renewed[0].ip6 == leased[0].ip6
    assert servers.heard == [(OTHER, "REBIND")]
    again = result(servers.provider.renew(renewed[0]))
    servers.clock.advance(0.01)
    assert again[0].ip6 == leased[0].ip6
    assert servers.heard[-1] == (OTHER, "RENEW"), "it is that server's from now on"


def test_H_12_rebound_to_another_address() -> None:
    servers = Servers()
    leased = result(servers.provider.lease(request()))
    servers.clock.pump([0.01, 0.01])
    servers.deaf = {ONE}
    servers.lends = lambda _: LENT + 1
    renewed = result(servers.provider.renew(leased[0]))
    servers.clock.pump([0.5] * 20)
    assert "leases fd00:60::11 in place of fd00:60::10" in str(renewed[0].value)
