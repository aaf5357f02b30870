"""The messages of DHCPv4 by which we ask as a relay and keep leases as a client, and how a server's answers are read.

giaddr is ours in all of them, renewals and releases included: with giaddr 0 a server would answer to the leased address, which is
in the client's tunnel (RFC 2131 §4.1).
"""

import struct
from collections.abc import Mapping
from functools import cached_property, lru_cache
from ipaddress import IPv4Address, IPv4Interface
from typing import Final

from attrs import field, frozen

from ikegw.dhcp.answers import Answer, Kind, Parameters
from ikegw.dhcp.clients import Client
from ikegw.dhcp.errors import Malformed
from ikegw.dhcp.packet4 import ANYBODY, Packet4
from ikegw.dhcp.registry import AgentOption, Message4, Option4
from ikegw.dhcp.values4 import Options4, encode_agent_information, encode_seconds

_ASKED_FOR: Final = bytes(
    (
        Option4.SUBNET_MASK,
        Option4.CLASSLESS_ROUTES,  # before the routers, or some servers leave it out (RFC 3442)
        Option4.ROUTERS,
        Option4.DNS_SERVERS,
        Option4.DOMAIN_NAME,
        Option4.NBNS_SERVERS,
        Option4.LEASE_TIME,
        Option4.SERVER_IDENTIFIER,
        Option4.T1,
        Option4.T2,
        Option4.DOMAIN_SEARCH,
        Option4.MICROSOFT_ROUTES,
    )
)
_LARGEST: Final = struct.pack("!H", 1500)
_LOOPBACK: Final = 127
_MULTICAST: Final = 224 << 24
_KINDS: Final = {Message4.OFFER: Kind.OFFER, Message4.ACK: Kind.ACK, Message4.NAK: Kind.NAK}


@frozen
class Dialect4:
    """`dialect.Dialect` for DHCPv4. `information` is option 82; `requested` is the address that the client would like."""

    client: Client
    giaddr: IPv4Address
    information: Mapping[AgentOption, bytes] = field(factory=dict)
    subnet_selection: IPv4Address | None = None
    requested: IPv4Address | None = None
    lease_seconds: float | None = None
    family: int = field(default=4, init=False)

    def discover(self, transaction: int, elapsed: float) -> bytes:
        """DHCPDISCOVER."""
        wish: dict[int, bytes] = {}
        if self.requested is not None:
            wish[Option4.REQUESTED_ADDRESS] = self.requested.packed
        return self._message(Message4.DISCOVER, transaction, elapsed, wish | self._lease_time())

    def request(self, transaction: int, elapsed: float, offer: Answer) -> bytes:
        """DHCPREQUEST in SELECTING (RFC 2131 §4.3.2)."""
        chosen: dict[int, bytes] = {
            Option4.REQUESTED_ADDRESS: _address(offer).packed,
            Option4.SERVER_IDENTIFIER: offer.server,
        }
        return self._message(Message4.REQUEST, transaction, elapsed, chosen | self._lease_time())

    def renew(self, transaction: int, elapsed: float, bound: Answer) -> bytes:
        """DHCPREQUEST in RENEWING: ciaddr, neither requested address nor server identifier."""
        return self._message(Message4.REQUEST, transaction, elapsed, self._lease_time(), _address(bound))

    def rebind(self, transaction: int, elapsed: float, bound: Answer) -> bytes | None:
        """Never: Figure 9 has no REBINDING."""
        return None

    def release(self, transaction: int, bound: Answer) -> bytes:
        """DHCPRELEASE."""
        return self._message(
            Message4.RELEASE, transaction, 0, {Option4.SERVER_IDENTIFIER: bound.server}, _address(bound)
        )

    def concerns(self, answer: Answer) -> bool:
        """By chaddr, and by the client identifier if the server sends it back (RFC 6842)."""
        return answer.hardware == self.client.hardware and answer.client in (None, self.client.identifier)

    @cached_property
    def _agent_information(self) -> bytes:
        return encode_agent_information(self.information)

    def _lease_time(self) -> dict[int, bytes]:
        return {} if self.lease_seconds is None else {Option4.LEASE_TIME: encode_seconds(self.lease_seconds)}

    def _message(
        self,
        kind: Message4,
        transaction: int,
        elapsed: float,
        options: Mapping[int, bytes],
        ciaddr: IPv4Address = ANYBODY,
    ) -> bytes:
        all_options: dict[int, bytes] = {Option4.CLIENT_IDENTIFIER: self.client.identifier, **options}
        if kind is not Message4.RELEASE:
            all_options |= {Option4.LARGEST_MESSAGE: _LARGEST, Option4.PARAMETER_LIST: _ASKED_FOR}
        if self.subnet_selection is not None:
            all_options[Option4.SUBNET_SELECTION] = self.subnet_selection.packed
        if self.information:  # the last of all (RFC 3046 §2.1)
            all_options[Option4.AGENT_INFORMATION] = self._agent_information
        return Packet4(
            kind,
            transaction,
            self.client.hardware,
            all_options,
            hops=1,
            seconds=int(elapsed),
            ciaddr=ciaddr,
            giaddr=self.giaddr,
        ).encode()


def _address(answer: Answer) -> IPv4Address:
    if not isinstance(answer.address, IPv4Interface):
        raise TypeError(f"{answer.kind.value} without an IPv4 address")
    return answer.address.ip


def read4(octets: bytes) -> Answer:
    """A server's answer; Malformed if it is none, or if anything in it that we use is not as it must be."""
    packet = Packet4.decode(octets)
    if packet.from_client or packet.kind not in _KINDS:
        raise Malformed(f"{packet.kind.name} is no answer of a server", 0)
    options = Options4(packet.options)
    server = options.address(Option4.SERVER_IDENTIFIER)
    prefix = options.prefix()
    return Answer(
        kind=_KINDS[packet.kind],
        transaction=packet.transaction,
        server=server.packed if server else b"",
        address=IPv4Interface((int(packet.yiaddr), 32 if prefix is None else prefix))
        if _usable(packet.yiaddr)
        else None,
        client=options.octets(Option4.CLIENT_IDENTIFIER),
        hardware=packet.hardware,
        lease_seconds=options.seconds(Option4.LEASE_TIME),
        renewal_seconds=options.seconds(Option4.T1),
        parameters=_parameters(*map(packet.options.get, _PARAMETERS)),
        text=options.text(Option4.MESSAGE),
    )


_PARAMETERS: Final = (
    Option4.DNS_SERVERS,
    Option4.NBNS_SERVERS,
    Option4.DOMAIN_SEARCH,
    Option4.DOMAIN_NAME,
    Option4.CLASSLESS_ROUTES,
    Option4.MICROSOFT_ROUTES,
)


@lru_cache(maxsize=256)
def _parameters(*data: bytes | None) -> Parameters:
    """What these options hold; all clients of a subnet are told the same, so it is read once."""
    there: dict[int, bytes] = {
        option: octets for option, octets in zip(_PARAMETERS, data, strict=True) if octets is not None
    }
    options = Options4(there)
    return Parameters(
        options.addresses(Option4.DNS_SERVERS),
        options.addresses(Option4.NBNS_SERVERS),
        options.domains(),
        options.destinations(),
    )


def _usable(address: IPv4Address) -> bool:
    """Not nobody's, not of this host alone, not of many."""
    return 0 < int(address) < _MULTICAST and int(address) >> 24 != _LOOPBACK
