"""The load: ikegw's own gateway as initiator of many IKE SAs, in a process of its own.

    python handshake_client.py CASE CREDENTIALS IN-FLIGHT PEER'S-ADDRESS PEER'S-PORT OWN-ADDRESS PATIENCE

Each line on its standard input is a number of IKE SAs to set up; each line that it answers is JSON: how many came up, why the
first of the others did not, and the seconds that it took. Every client is another one, as far as its identities go round.
"""

import json
import os
import sys
import time
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from itertools import count, islice
from pathlib import Path
from typing import Any, cast

from attrs import evolve
from handshake_cases import CASES, CERTIFICATES, ESP, GATEWAY_NAME, SECRET, Case, client_name
from twisted.internet import reactor as the_reactor
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.stdio import StandardIO
from twisted.internet.task import cooperate
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from ikegw.addresses.pools import PoolAddresses
from ikegw.auth.authenticator import Authenticator
from ikegw.auth.loading import load_credentials
from ikegw.dataplane.memory import MemoryPlane
from ikegw.events import Event
from ikegw.gate.admission import Admission
from ikegw.gate.limits import Limits
from ikegw.ike.gateway import Gateway
from ikegw.net.sockets import open_sockets
from ikegw.net.transport import UdpTransport
from ikegw.policy.connections import AuthKind, ChildPolicy, Connection, LocalAuth, RemoteAuth, Retransmit
from ikegw.policy.identities import IdentityPattern, parse_identity
from ikegw.policy.offers import parse_offer
from ikegw.policy.selectors import DYNAMIC, from_network
from ikegw.testing.nobody import NobodyAsks, NobodyLogsIn

reactor = cast(Any, the_reactor)


def connection(case: Case, address: str, port: int, patience: float) -> Connection:
    """The client's side of a case, without a name yet; `address` and `port` are the responder's, `patience` in seconds."""
    kind = AuthKind.PSK if case.key is None else AuthKind.PUBKEY
    return Connection(
        "",
        LocalAuth(kind),
        RemoteAuth(kind, IdentityPattern.parse(GATEWAY_NAME)),
        (
            ChildPolicy(
                "net", (DYNAMIC,), (from_network(IPv4Network("10.1.0.0/16")),), parse_offer("esp", ESP)
            ),
        ),
        parse_offer("ike", case.proposal),
        remote_addresses=(IPv4Network(address),),
        remote_port=port,
        remote_nat_t_port=4500 if port == 500 else port + 1,
        virtual=(IPv4Address("0.0.0.0"),) if case.lends else (),
        retransmit=Retransmit(first=patience, tries=1),
        dpd_seconds=0,
    )


class Load(LineOnlyReceiver):
    """Takes orders on standard input."""

    delimiter = b"\n"

    def __init__(self, template: Connection, gateway: Gateway, in_flight: int) -> None:
        self._in_flight = in_flight
        self._template = template
        self._gateway = gateway
        by_key = template.local.kind is AuthKind.PSK
        self._names = count(1) if by_key else (1 + n % CERTIFICATES for n in count())

    def lineReceived(self, line: bytes) -> None:  # noqa: N802 (Twisted's name)
        """Begin what a line orders."""
        self._begin(int(line))

    def connectionLost(self, reason: Failure | None = None) -> None:  # noqa: N802 (Twisted's name)
        """End at once: the responder is thrown away too, and thousands of DELETEs would only cost time."""
        os._exit(0)

    def _begin(self, wanted: int) -> None:
        began, up, failures = time.monotonic(), 0, list[str]()

        def came_up(_: object) -> None:
            nonlocal up
            up += 1

        def failed(failure: Failure) -> None:
            failures.append(failure.getErrorMessage())

        def told(_: object) -> None:
            answer = {"up": up, "failure": failures[:1], "seconds": time.monotonic() - began}
            self.sendLine(json.dumps(answer).encode())  # type: ignore[no-untyped-call]

        work = (self._connect(number).addCallbacks(came_up, failed) for number in islice(self._names, wanted))
        lines = [cooperate(work).whenDone().addErrback(failed) for _ in range(self._in_flight)]
        gatherResults(lines).addCallback(told)

    def _connect(self, number: int) -> Deferred[Any]:
        identity = parse_identity(client_name(number))
        files = (f"{client_name(number)}.pem",) if self._template.local.kind is AuthKind.PUBKEY else ()
        local = LocalAuth(self._template.local.kind, identity, files)
        self._gateway.connections = (evolve(self._template, name=f"client{number}", local=local),)
        return self._gateway.initiate(f"client{number}")


def _gateway(directory: Path, address: str) -> Gateway:
    """An initiator on real sockets whose tunnels carry nothing."""
    transport = UdpTransport(open_sockets((IPv4Address(address),)))
    loaded = load_credentials(
        directory / "certs", directory / "ca", directory / "private", [((), SECRET.encode())]
    )
    gateway = Gateway(
        reactor,
        os.urandom,
        transport,
        MemoryPlane(reactor, os.urandom),
        PoolAddresses(()),
        Authenticator(loaded.credentials, lambda: datetime.now(UTC), maybeDeferred),
        NobodyAsks(),
        NobodyLogsIn(),
        Admission(Limits(), os.urandom, reactor.seconds()),
        (),
        _unheard,
    )
    gateway.start()
    transport.start(reactor, gateway.datagram_received)
    return gateway


def _unheard(event: Event) -> None:
    """Nobody listens to the load's own events."""


def main(
    name: str, directory: str, in_flight: str, peer: str, peer_port: str, own_address: str, patience: str
) -> None:
    case = next(each for each in CASES if each.name == name)
    gateway = _gateway(Path(directory), own_address)
    template = connection(case, peer, int(peer_port), float(patience))
    StandardIO(Load(template, gateway, int(in_flight)))  # type: ignore[no-untyped-call]
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
