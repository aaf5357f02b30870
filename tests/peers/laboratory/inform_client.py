"""What Windows does once its tunnel is up: DHCPINFORM to the broadcast address, out of one device. Prints the answer's options.

usage: inform_client.py DEVICE ADDRESS
"""

import json
import socket
import sys
from ipaddress import IPv4Address
from typing import Final

from ikegw.dhcp.packet4 import Packet4
from ikegw.dhcp.registry import Message4, Option4

_WINDOWS_ASKS: Final = bytes((6, 44, 43, 77, 249, 15))


def main(device: str, address: str) -> None:
    """Ask until somebody answers, five times at most."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        udp.settimeout(2)
        udp.bind((address, 68))
        wish: dict[int, bytes] = {Option4.PARAMETER_LIST: _WINDOWS_ASKS}
        inform = Packet4(Message4.INFORM, 1, b"\2\0\0\0\0\1", wish, ciaddr=IPv4Address(address))
        for _ in range(5):
            udp.sendto(inform.encode(), ("255.255.255.255", 67))
            try:
                octets, (source, port) = udp.recvfrom(2048)
            except TimeoutError:
                continue
            answer = Packet4.decode(octets)
            found = {code: data.hex() for code, data in answer.options.items()}
            print(json.dumps({"kind": answer.kind.name, "source": source, "port": port, "options": found}))  # noqa: T201
            return
    sys.exit("nobody answered")


if __name__ == "__main__":
    main(*sys.argv[1:])
