"""Answers to DHCPINFORM from clients inside their tunnels (RFC 2131 §3.4): routes, DNS servers and domains.

Windows does not heed what IKE says of these, and asks by DHCP once its tunnel is up: by broadcast, from its leased address. Only
what comes out of the tunnels is heard, so the address has been checked by the data plane.
"""

import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Any, Final

from twisted.logger import Logger

from ikegw.dhcp.errors import Malformed
from ikegw.dhcp.names import encode_names
from ikegw.dhcp.packet4 import ANYBODY, Packet4
from ikegw.dhcp.registry import CLIENT_PORT4, SERVER_PORT4, Message4, Option4
from ikegw.dhcp.sockets import CannotBind, DatagramReader, bound_socket
from ikegw.dhcp.told import Told
from ikegw.dhcp.values4 import encode_addresses, encode_routes
from ikegw.paths import Endpoint

Networks = Callable[[str], Iterable[IPv4Network | IPv6Network]]
"""What a connection's tunnels lead to, by the connection's name."""

_NO_HOSTS: Final = IPv4Network("224.0.0.0/3")
"""Multicast, broadcast, and what is reserved: nothing that a route is for."""
_ON_LINK: Final = ANYBODY
"""The router of a route through the tunnel itself (RFC 3442)."""
_IP_PKTINFO: Final = 8  # Linux (in.h); Python's socket module does not name it
_PKTINFO: Final = struct.Struct("=i4s4s")


class Informant:
    """Answers out of what is known of the asker; `address` is ours inside the tunnels, as which we answer.

    `counts`: `answered`, `malformed`, `stranger` (nobody has the address), `other` (not a DHCPINFORM of the sender's own).
    """

    def __init__(
        self, address: IPv4Address, told: Callable[[IPv4Address], Told | None], networks: Networks
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._address, self._told, self._networks = address, told, networks

    def answer(self, octets: bytes, source: Endpoint) -> bytes | None:
        """The DHCPACK to a DHCPINFORM; None: nothing is to be said."""
        try:
            packet = Packet4.decode(octets)
        except Malformed:
            self.counts["malformed"] += 1
            return None
        if packet.kind is not Message4.INFORM or not packet.from_client or packet.ciaddr != source.address:
            self.counts["other"] += 1
            return None
        told = self._told(packet.ciaddr)
        if told is None:
            self.counts["stranger"] += 1
            return None
        self.counts["answered"] += 1
        return Packet4(
            Message4.ACK,
            packet.transaction,
            packet.hardware,
            self._options(packet.options.get(Option4.PARAMETER_LIST), told),
            from_client=False,
            ciaddr=packet.ciaddr,
        ).encode()

    def _options(self, wanted: bytes | None, told: Told) -> dict[int, bytes]:
        """What there is of what is asked for; of all, if nothing in particular is."""
        lease = told.lease
        servers = (each for each in lease.dns if isinstance(each, IPv4Address))
        routes = encode_routes((network, _ON_LINK) for network in self._destinations(told))
        options: dict[int, bytes] = {
            Option4.DNS_SERVERS: encode_addresses(servers),
            Option4.DOMAIN_NAME: lease.domains[0].encode() if lease.domains else b"",
            Option4.NBNS_SERVERS: encode_addresses(lease.nbns),
            Option4.DOMAIN_SEARCH: encode_names(lease.domains),
            Option4.CLASSLESS_ROUTES: routes,
            Option4.MICROSOFT_ROUTES: routes,
        }
        chosen = {code: data for code, data in options.items() if data and (wanted is None or code in wanted)}
        return {Option4.SERVER_IDENTIFIER: self._address.packed, **chosen}

    def _destinations(self, told: Told) -> tuple[IPv4Network, ...]:
        """What the client is to send through its tunnel; nothing, if that is everything: then it needs no routes."""
        named = told.lease.subnets or tuple(self._networks(told.connection))
        found = [each for each in named if isinstance(each, IPv4Network) and not each.subnet_of(_NO_HOSTS)]
        return () if any(not each.prefixlen for each in found) else tuple(dict.fromkeys(found))


class InformSocket:
    """Hears DHCPINFORM on the device out of which the tunnels' packets come, and nowhere else."""

    _log = Logger()

    def __init__(self, reactor: Any, informant: Informant, address: IPv4Address, device: str) -> None:
        self._informant, self._address, self._device = informant, address, device
        self._udp = bound_socket(Endpoint(ANYBODY, SERVER_PORT4), device)
        self._reader = DatagramReader(reactor, self._udp, self._received)

    def close(self) -> None:
        """Hear no more."""
        self._reader.close()

    def _received(self, octets: bytes, source: Endpoint) -> None:
        answer = self._informant.answer(octets, source)
        if answer is None:
            return
        sender = _PKTINFO.pack(0, self._address.packed, bytes(4))
        try:
            self._udp.sendmsg(
                [answer],
                [(socket.IPPROTO_IP, _IP_PKTINFO, sender)],
                0,
                (str(source.address), CLIENT_PORT4),
            )
        except OSError as error:
            self._log.warn(
                "cannot answer the DHCPINFORM of {client} from {address}: {why}; see inform.address",
                client=source.address,
                address=self._address,
                why=error.strerror or str(error),
            )


class Inform:
    """DHCPINFORM as configured: heard once the device is there, changed by a reload."""

    _log = Logger()

    def __init__(self, reactor: Any, told: Callable[[IPv4Address], Told | None], networks: Networks) -> None:
        self._reactor, self._told, self._networks = reactor, told, networks
        self._socket: InformSocket | None = None
        self._heard: tuple[IPv4Address, str] | None = None

    def hear(self, address: IPv4Address | None, device: str) -> None:
        """Answer from this address on this device from now on; None: no more. Failing that, the log says why."""
        wanted = None if address is None or not device else (address, device)
        if wanted == self._heard:
            return
        self.stop()
        if wanted is None:
            return
        informant = Informant(wanted[0], self._told, self._networks)
        try:
            self._socket = InformSocket(self._reactor, informant, *wanted)
        except CannotBind as error:
            self._log.error("clients that ask for routes by DHCPINFORM are not heard: {why}", why=str(error))
        else:
            self._heard = wanted

    def stop(self) -> None:
        """Hear no more."""
        self._heard = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None
