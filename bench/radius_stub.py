"""A RADIUS server for benchmarks: it answers EAP logins after a fixed time, or never; in a process of its own.

    python radius_stub.py ADDRESS METHOD DELAY-MS

DELAY-MS `never`: it only reads. On SIGTERM it prints how many different requests it was sent.
"""

import os
import signal
import sys
from ipaddress import ip_address
from itertools import count
from typing import Any, cast

from pyrad.packet import AuthPacket
from radius_cases import PASSWORDS, SECRET
from twisted.internet import reactor as the_reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol

from ikegw.eap.server.authenticator import EmbeddedAuthenticator
from ikegw.eap.server.settings import Settings
from ikegw.paths import Endpoint, Path
from ikegw.policy.connections import EapMethod
from ikegw.policy.identities import parse_identity
from ikegw.ports import AaaAnswer, AaaDialogue, Accept, Caller, Challenge
from ikegw.radius.packets import Code, add, dictionary, split

reactor = cast(Any, the_reactor)

NOWHERE = Path(Endpoint(ip_address("192.0.2.1"), 500), Endpoint(ip_address("192.0.2.2"), 500))
ANYBODY = parse_identity("client@bench.example")
CODES = {Challenge: Code.ACCESS_CHALLENGE, Accept: Code.ACCESS_ACCEPT}


class Stub(DatagramProtocol):
    """Answers each request once; a repeated one gets the same answer."""

    noisy = False

    def __init__(self, method: EapMethod, delay: float) -> None:
        self._delay = delay
        self._users = EmbeddedAuthenticator(reactor, os.urandom, Settings((method,), PASSWORDS))
        self._dialogues: dict[bytes, AaaDialogue] = {}
        self._states = (number.to_bytes(8, "big") for number in count())
        self._answered: dict[bytes, bytes | None] = {}

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:  # noqa: N802 (Twisted's name)
        """Take a request in."""
        request = AuthPacket(packet=datagram, secret=SECRET.encode(), dict=dictionary())
        if request.code == Code.STATUS_SERVER:
            reply = request.CreateReply()
            self.transport.write(reply.ReplyPacket(), addr)  # type: ignore[union-attr, call-arg]
            return
        key = request.authenticator
        if key in self._answered:
            answer = self._answered[key]
            if answer is not None:
                self._send(answer, addr)
            return
        self._answered[key] = None
        state = request.get(24, [b""])[0]
        dialogue = self._dialogues.pop(state, None) or self._users.begin(
            Caller("s", "road", 1, NOWHERE, ANYBODY, "", "local")
        )
        response: Deferred[AaaAnswer] = dialogue.respond(b"".join(request["EAP-Message"]))
        response.addCallback(lambda answer: self._answer(request, dialogue, answer, addr))

    def _answer(self, request: AuthPacket, dialogue: AaaDialogue, answer: AaaAnswer, addr: Any) -> None:
        reply = request.CreateReply()
        reply.code = CODES.get(type(answer), Code.ACCESS_REJECT)
        for name, value in split("EAP-Message", answer.eap or b""):
            add(reply, name, value)
        if isinstance(answer, Challenge):
            state = next(self._states)
            self._dialogues[state] = dialogue
            add(reply, "State", state)
        elif isinstance(answer, Accept) and answer.msk is not None:
            reply["MS-MPPE-Recv-Key"] = answer.msk[:32]
            reply["MS-MPPE-Send-Key"] = answer.msk[32:]
        octets = self._answered[request.authenticator] = reply.ReplyPacket()
        reactor.callLater(self._delay, self._send, octets, addr)

    def _send(self, octets: bytes, addr: Any) -> None:
        self.transport.write(octets, addr)  # type: ignore[union-attr, call-arg]


class Dead(DatagramProtocol):
    """Reads, and says nothing. `asked`: the different Access-Requests that came."""

    noisy = False

    def __init__(self) -> None:
        self.asked = set[bytes]()

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:  # noqa: N802 (Twisted's name)
        """Count it."""
        if datagram[0] == Code.ACCESS_REQUEST:
            self.asked.add(datagram[4:20])


def main(address: str, method: str, delay: str) -> None:
    protocol = Dead() if delay == "never" else Stub(EapMethod(method), float(delay) / 1000)
    port = reactor.listenUDP(1812, protocol, interface=address)
    port.socket.setsockopt(
        1, 33, 4 << 20
    )  # SOL_SOCKET, SO_RCVBUFFORCE: what is lost here is no fault of theirs

    def end(*_: object) -> None:
        if isinstance(protocol, Dead):
            print(f"asked {len(protocol.asked)}", flush=True)
        os._exit(0)

    reactor.callWhenRunning(lambda: signal.signal(signal.SIGTERM, end))
    reactor.callWhenRunning(print, "ready", flush=True)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
