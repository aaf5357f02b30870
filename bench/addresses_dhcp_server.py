"""A DHCP server that lends one address after the other, and answers after 20 ms, or never, and then says whom it heard.

python addresses_dhcp_server.py ADDRESS [silent]
"""

import sys
from ipaddress import IPv4Address
from typing import Any, cast

from attrs import evolve
from twisted.internet import reactor as the_reactor
from twisted.internet.protocol import DatagramProtocol

from ikegw.dhcp.packet4 import Packet4
from ikegw.dhcp.registry import SERVER_PORT4, Message4, Option4

SECONDS = 0.02
FIRST = IPv4Address("10.64.0.1")

reactor = cast(Any, the_reactor)


class Server(DatagramProtocol):
    """Whoever asks gets an address, the same one each time."""

    def __init__(self, address: str) -> None:
        self._own = IPv4Address(address).packed
        self._lent: dict[bytes, IPv4Address] = {}

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:  # noqa: N802 (Twisted's name)
        asked = Packet4.decode(datagram)
        answers = {Message4.DISCOVER: Message4.OFFER, Message4.REQUEST: Message4.ACK}
        if asked.kind in answers:
            reactor.callLater(
                SECONDS, self._answer, evolve(asked, kind=answers[asked.kind], from_client=False)
            )

    def _answer(self, answer: Packet4) -> None:
        address = self._lent.setdefault(answer.hardware, FIRST + len(self._lent))
        options = {
            int(Option4.SERVER_IDENTIFIER): self._own,
            int(Option4.LEASE_TIME): (3600).to_bytes(4, "big"),
            int(Option4.SUBNET_MASK): bytes((255, 240, 0, 0)),
            int(Option4.DNS_SERVERS): self._own,
        }
        octets = evolve(answer, yiaddr=address, options=options).encode()
        self.transport.write(octets, (str(answer.giaddr), SERVER_PORT4))


class Silent(DatagramProtocol):
    """Nobody gets anything."""

    def __init__(self) -> None:
        self._heard = set[bytes]()

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:  # noqa: N802 (Twisted's name)
        client = Packet4.decode(datagram).hardware
        if client not in self._heard:
            self._heard.add(client)
            print(f"heard {len(self._heard)}", flush=True)


def main(address: str, mood: str = "") -> None:
    protocol = Silent() if mood == "silent" else Server(address)
    reactor.listenUDP(SERVER_PORT4, protocol, interface=address)
    reactor.callWhenRunning(print, "ready", flush=True)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
