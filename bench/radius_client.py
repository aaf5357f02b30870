"""The load: ikegw as initiator of many IKE SAs that log in by EAP; orders and answers are those of `handshake_client`.

python radius_client.py METHOD CREDENTIALS IN-FLIGHT OWN-ADDRESS GATEWAY-PID
"""

import json
import os
import sys
import time
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from itertools import count, islice
from pathlib import Path
from typing import Any

from attrs import evolve
from handshake_cases import ESP, GATEWAY_ADDRESS, GATEWAY_NAME, MODERN, client_name
from handshake_client import Load, reactor
from machine import cpu_seconds, waited_seconds
from radius_cases import PASSWORDS
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.stdio import StandardIO
from twisted.internet.task import cooperate
from twisted.python.failure import Failure

from ikegw.addresses.pools import PoolAddresses
from ikegw.auth.authenticator import Authenticator
from ikegw.auth.loading import load_credentials
from ikegw.dataplane.memory import MemoryPlane
from ikegw.eap.peer.supplicants import EapSupplicants
from ikegw.gate.admission import Admission
from ikegw.gate.limits import Limits
from ikegw.ike.gateway import Gateway
from ikegw.net.sockets import open_sockets
from ikegw.net.transport import UdpTransport
from ikegw.policy.connections import (
    AuthKind,
    ChildPolicy,
    Connection,
    EapMethod,
    LocalAuth,
    RemoteAuth,
    Retransmit,
)
from ikegw.policy.identities import IdentityPattern, parse_identity
from ikegw.policy.offers import parse_offer
from ikegw.policy.selectors import DYNAMIC, from_network
from ikegw.testing.nobody import NobodyAsks

PATIENCE = Retransmit(first=30.0, tries=3)
"""With a thousand logins at a time each waits seconds for its turn; to repeat what it said would only make more work."""


def connection() -> Connection:
    """A client without a name yet."""
    behind = (from_network(IPv4Network("10.1.0.0/16")),)
    return Connection(
        "",
        LocalAuth(AuthKind.EAP),
        RemoteAuth(AuthKind.PUBKEY, IdentityPattern.parse(GATEWAY_NAME), ("ca.pem",)),
        (ChildPolicy("net", (DYNAMIC,), behind, parse_offer("esp", ESP)),),
        parse_offer("ike", MODERN),
        remote_addresses=(IPv4Network(GATEWAY_ADDRESS),),
        retransmit=PATIENCE,
        dpd_seconds=0,
        half_open_seconds=600,
    )


class EapLoad(Load):
    """Each client has a name of its own."""

    def __init__(self, method: EapMethod, gateway: Gateway, in_flight: int, responder: int) -> None:
        super().__init__(connection(), gateway, in_flight)
        self._method = method
        self._responder = responder
        self._names = count(1)

    def _begin(self, wanted: int) -> None:
        """Log in so often. What it took is that of the middle, when all are under way and nobody waits for the last: the
        gateway's CPU, and seconds without those in which others had the CPU that it wanted.
        """
        up, failures, marks = 0, list[str](), list[tuple[float, float]]()
        first, last, gateway = wanted // 10, wanted - 1 - wanted // 10, self._responder

        def came_up(_: object) -> None:
            nonlocal up
            if up in (first, last):
                marks.append((time.monotonic() - waited_seconds(gateway), cpu_seconds(gateway)))
            up += 1

        def failed(failure: Failure) -> None:
            failures.append(failure.getErrorMessage())

        def told(_: object) -> None:
            taken = (
                [end - begin for begin, end in zip(*marks, strict=True)] if len(marks) == 2 else [0.0, 0.0]
            )
            seconds, cpu = (each / (last - first) * wanted for each in taken)
            answer = {"up": up, "failure": failures[:1], "seconds": seconds, "cpu": cpu}
            self.sendLine(json.dumps(answer).encode())  # type: ignore[no-untyped-call]

        work = (self._connect(number).addCallbacks(came_up, failed) for number in islice(self._names, wanted))
        lines = [cooperate(work).whenDone().addErrback(failed) for _ in range(self._in_flight)]
        gatherResults(lines).addCallback(told)

    def _connect(self, number: int) -> Deferred[Any]:
        name = client_name(number)
        local = LocalAuth(AuthKind.EAP, parse_identity(name), eap_identity=name, eap_methods=(self._method,))
        self._gateway.connections = (evolve(self._template, name=f"client{number}", local=local),)
        return self._gateway.initiate(f"client{number}")


class _NoCertificates:
    def own(self, files: tuple[str, ...]) -> None:
        return None

    def authorities(self, files: tuple[str, ...]) -> tuple[()]:
        return ()


def _gateway(directory: Path, address: str) -> Gateway:
    """An initiator on real sockets whose tunnels carry nothing."""
    transport = UdpTransport(open_sockets((IPv4Address(address),)))
    loaded = load_credentials(directory / "certs", directory / "ca", directory / "private")
    gateway = Gateway(
        reactor,
        os.urandom,
        transport,
        MemoryPlane(reactor, os.urandom),
        PoolAddresses(()),
        Authenticator(loaded.credentials, lambda: datetime.now(UTC), maybeDeferred),
        NobodyAsks(),
        EapSupplicants(os.urandom, PASSWORDS, _NoCertificates()),
        Admission(Limits(), os.urandom, reactor.seconds()),
        (),
        lambda event: None,
    )
    gateway.start()
    transport.start(reactor, gateway.datagram_received)
    return gateway


def main(method: str, directory: str, in_flight: str, own_address: str, responder: str) -> None:
    gateway = _gateway(Path(directory), own_address)
    StandardIO(EapLoad(EapMethod(method), gateway, int(in_flight), int(responder)))  # type: ignore[no-untyped-call]
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
