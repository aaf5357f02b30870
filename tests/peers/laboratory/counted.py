"""Numbered datagrams through many tunnels at once, both ways: run as a program at each end, it says what came and what did not.

Its arguments are how many datagrams it sends a second, over all, and pairs OWN=PEER of addresses. Two lines on its standard
input lead it: at the first it begins to send; at the second it only receives, until nothing has come for a while, and prints
one line of JSON.
"""

import json
import selectors
import socket
import struct
import sys
import time

from attrs import define, field

PORT = 7007
QUIET_SECONDS = 1.0
"""So long without a datagram, once both ends are told to stop: no more will come."""

_NUMBER = struct.Struct("!Q")


@define
class Flow:
    """One pair of addresses: what was sent, and which numbers came when."""

    peer: str
    udp: socket.socket
    sent: int = 0
    came: dict[int, float] = field(factory=dict)
    twice: int = 0

    def send(self) -> None:
        """Send the next number."""
        try:
            self.udp.sendto(_NUMBER.pack(self.sent), (self.peer, PORT))
        except OSError as error:  # that is a loss, and told as one
            sys.stderr.write(f"to {self.peer}: {error}\n")
        self.sent += 1

    def receive(self) -> None:
        """Note one number."""
        (number,) = _NUMBER.unpack(self.udp.recv(64))
        if number in self.came:
            self.twice += 1
        self.came[number] = time.time()

    def account(self) -> dict[str, object]:
        """What this end saw: `missing` are numbers below the highest, each with the time when the one before it came."""
        missing, before = [], 0.0
        for number in range(max(self.came, default=-1) + 1):
            if number not in self.came:
                missing.append((number, before))
            before = self.came.get(number, before)
        return {
            "peer": self.peer,
            "sent": self.sent,
            "came": len(self.came),
            "twice": self.twice,
            "missing": missing,
        }


def _flow(pair: str) -> Flow:
    own, peer = pair.split("=")
    udp = socket.socket(socket.AF_INET6 if ":" in own else socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((own, PORT))
    return Flow(peer, udp)


def main(per_second: float, pairs: list[str]) -> list[dict[str, object]]:
    """Send and receive until told to stop and nothing comes any more."""
    flows = [_flow(pair) for pair in pairs]
    waiting = selectors.DefaultSelector()
    waiting.register(sys.stdin, selectors.EVENT_READ)
    for flow in flows:
        waiting.register(flow.udp, selectors.EVENT_READ, flow)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    began, turn, quiet_since = time.monotonic(), 0, 0.0
    sending = True
    while sending or time.monotonic() < quiet_since + QUIET_SECONDS:
        due = began + turn / per_second - time.monotonic()
        if sending and due <= 0:
            flows[turn % len(flows)].send()
            turn += 1
            due = 0.0
        for key, _ in waiting.select(max(due, 0.0) if sending else 0.1):
            quiet_since = time.monotonic()
            if key.data is None:
                sys.stdin.readline()
                waiting.unregister(sys.stdin)
                sending = False
            else:
                key.data.receive()
    return [flow.account() for flow in flows]


if __name__ == "__main__":
    json.dump(main(float(sys.argv[1]), sys.argv[2:]), sys.stdout)
