"""Datagrams that come back, counted: run as a program, `serve ADDRESS` at one end, `ask OWN=PEER...` at the other.

Who asks sends each pair of addresses some datagrams of different lengths, one after the other's echo, and prints as JSON how
many of each pair's came back as they were.
"""

import json
import os
import socket
import sys

PORT = 7008
SIZES = (1, 100, 500, 1000, 1300)
ROUNDS = 4
SECONDS = 5.0
"""So long an echo may take; another is not sent for a datagram that is lost."""


def _open(address: str) -> socket.socket:
    udp = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((address, PORT))
    return udp


def serve(address: str) -> None:
    """Send back whatever comes, for ever."""
    udp = _open(address)
    sys.stdout.write("serving\n")
    sys.stdout.flush()
    while True:
        octets, sender = udp.recvfrom(65535)
        udp.sendto(octets, sender)


def ask(pair: str) -> int:
    """How many of this pair's came back."""
    own, peer = pair.split("=")
    came = 0
    with _open(own) as udp:
        udp.settimeout(SECONDS)
        for size in SIZES * ROUNDS:
            octets = os.urandom(size)
            udp.sendto(octets, (peer, PORT))
            try:
                came += udp.recv(65535) == octets
            except TimeoutError:
                continue
    return came


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    json.dump({pair: ask(pair) for pair in sys.argv[2:]}, sys.stdout)
