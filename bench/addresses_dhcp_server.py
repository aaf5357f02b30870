"""A DHCP server that lends one address after the other, and answers after 20 ms, or never, and then says whom it heard.

python addresses_dhcp_server.py ADDRESS [silent]

It is made of the octets that it is asked with, so that it takes little of a machine on which somebody else is measured.
"""

import socket
import struct
import sys
from ipaddress import IPv4Address
from typing import Any, Final, cast

from twisted.internet import reactor as the_reactor
from twisted.internet.protocol import DatagramProtocol

from ikegw.dhcp.packet4 import BOOT_REPLY, Packet4
from ikegw.dhcp.registry import SERVER_PORT4, Message4, Option4

SECONDS: Final = 0.02
RECEIVE_BUFFER_OCTETS: Final = 4 << 20
"""It has to lose nothing."""
FIRST: Final = int(IPv4Address("10.64.0.1"))
HARDWARE: Final = slice(28, 34)
YIADDR: Final = slice(16, 20)
GIADDR: Final = slice(24, 28)
OPTIONS_AT: Final = 240
TYPE_AT: Final = OPTIONS_AT + 2
"""Our own clients write the message type first."""
ANSWERS: Final = {Message4.DISCOVER: Message4.OFFER, Message4.REQUEST: Message4.ACK}

reactor = cast(Any, the_reactor)


class Server(DatagramProtocol):
    """Whoever asks gets an address, the same one each time."""

    def __init__(self, address: str) -> None:
        own = IPv4Address(address).packed
        answer = Packet4(
            Message4.OFFER,
            0,
            bytes(6),
            {
                Option4.SERVER_IDENTIFIER: own,
                Option4.LEASE_TIME: struct.pack("!I", 3600),
                Option4.SUBNET_MASK: bytes((255, 240, 0, 0)),
                Option4.DNS_SERVERS: own,
            },
        ).encode()
        self._options = answer[OPTIONS_AT:]
        self._lent: dict[bytes, int] = {}

    def startProtocol(self) -> None:  # noqa: N802 (Twisted's name)
        self.transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_OCTETS)

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:  # noqa: N802 (Twisted's name)
        if datagram[TYPE_AT] in ANSWERS:
            reactor.callLater(SECONDS, self._answer, datagram)

    def _answer(self, asked: bytes) -> None:
        number = self._lent.setdefault(asked[HARDWARE], FIRST + len(self._lent))
        answer = bytearray(asked[:OPTIONS_AT] + self._options)
        answer[0] = BOOT_REPLY
        answer[YIADDR] = struct.pack("!I", number)
        answer[TYPE_AT] = ANSWERS[Message4(asked[TYPE_AT])]
        self.transport.write(bytes(answer), (str(IPv4Address(asked[GIADDR])), SERVER_PORT4))


class Silent(DatagramProtocol):
    """Nobody gets anything."""

    def __init__(self) -> None:
        self._heard = set[bytes]()

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:  # noqa: N802 (Twisted's name)
        client = datagram[HARDWARE]
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
