"""A wire on which things go wrong: run as a program between two devices, it passes frames on, loses some and delays others.

Its arguments are the two devices, the part that is lost, the part that is delayed (others overtake it), and by how much at
most, in seconds. It drops and delays only IP; ARP passes. SIGUSR1 heals it: from then on it only passes frames on.
"""

import heapq
import random
import selectors
import signal
import socket
import sys
import time
from itertools import count

_ALL = 0x0003
_ARP = b"\x08\x06"
_VNET_HEADER = 10
"""Octets before each frame that tell of checksums and segmentation left to the device (struct virtio_net_hdr)."""

_SOL_PACKET, _PACKET_VNET_HDR, _PACKET_IGNORE_OUTGOING = 263, 15, 23
_ROOM = 1 << 17


def _open(device: str) -> socket.socket:
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
    wire.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    wire.bind((device, _ALL))
    wire.setblocking(False)
    return wire


def main(left: str, right: str, lost: float, late: float, most: float) -> None:
    """Pass frames on for ever."""
    chance = random.Random(7)
    ends = [_open(left), _open(right)]
    healed = []
    signal.signal(signal.SIGUSR1, lambda *_: healed.append(True))
    waiting = selectors.DefaultSelector()
    for one, other in (ends, reversed(ends)):
        waiting.register(one, selectors.EVENT_READ, other)
    due: list[tuple[float, int, socket.socket, bytes]] = []
    numbers = count()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        now = time.monotonic()
        while due and due[0][0] <= now:
            _, _, onto, frame = heapq.heappop(due)
            onto.send(frame)
        for key, _ in waiting.select(due[0][0] - now if due else None):
            frame = key.fileobj.recv(_ROOM)  # type: ignore[union-attr]
            is_ip = frame[_VNET_HEADER + 12 : _VNET_HEADER + 14] != _ARP
            at = time.monotonic()
            if is_ip and not healed:
                if chance.random() < lost:
                    continue
                if chance.random() < late:
                    at += chance.random() * most
            heapq.heappush(due, (at, next(numbers), key.data, frame))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(float, sys.argv[3:6]))
