"""The part of a gateway that lends addresses of shared pools: `python -m laboratory.lender DSN SECONDS NETWORK LIFE`.

It reads `lease NAME` and `release NAME`, and writes `NAME ADDRESS`, or `NAME -` if there is none, and `lost NAME` when it
could not be renewed.
"""

import os
import sys
from ipaddress import ip_network
from pathlib import Path

from twisted.internet import reactor, stdio
from twisted.internet.interfaces import IReactorTime
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from ikegw.addresses.life import Life
from ikegw.addresses.pool import Pool
from ikegw.addresses.shared import Database, SharedPools
from ikegw.policy.identities import parse_identity
from ikegw.ports import AddressRequest, Lease

clock: IReactorTime = reactor


class Lender(LineOnlyReceiver):
    """Does what a line says; each name has one lease."""

    delimiter = b"\n"

    def __init__(self, addresses: SharedPools) -> None:
        self.addresses = addresses
        self.leases: dict[str, Lease] = {}

    def lineReceived(self, line: bytes) -> None:
        what, name = line.decode().split()
        if what == "lease":
            request = AddressRequest(
                "road", parse_identity(name), ("shared",), wants_ip4=True, wants_ip6=False
            )
            self.addresses.lease(request).addCallbacks(
                self.lent, lambda failure: self.tell(f"{name} - {failure.getErrorMessage()}"), (name,)
            )
        else:
            self.addresses.release(self.leases.pop(name)).addCallback(lambda _: self.tell(f"{name} released"))

    def lent(self, lease: Lease, name: str) -> None:
        self.leases[name] = lease
        assert lease.ip4 is not None
        assert lease.renew_seconds is not None
        clock.callLater(lease.renew_seconds, self.renew, name, lease)
        self.tell(f"{name} {lease.ip4.ip}")

    def renew(self, name: str, lease: Lease) -> None:
        if self.leases.get(name) is lease:
            self.addresses.renew(lease).addCallbacks(self.renewed, self.lost, (name,), errbackArgs=(name,))

    def renewed(self, lease: Lease, name: str) -> None:
        self.leases[name] = lease
        assert lease.renew_seconds is not None
        clock.callLater(lease.renew_seconds, self.renew, name, lease)

    def lost(self, failure: Failure, name: str) -> None:
        del self.leases[name]
        self.tell(f"lost {name} {failure.getErrorMessage()}")

    def tell(self, line: str) -> None:
        self.sendLine(line.encode())  # type: ignore[no-untyped-call]


def main(dsn: str, reclaim_seconds: str, network: str, life: str) -> None:
    """Lend, until killed."""
    database = Database(dsn, 4, reactor)
    pool = Pool("shared", (ip_network(network),))
    addresses = SharedPools(
        (pool,), database, clock, os.urandom, "lab", float(reclaim_seconds), Life(Path(life))
    )

    def ready(_: None) -> None:
        stdio.StandardIO(lender)  # type: ignore[no-untyped-call]
        lender.tell("ready -")

    lender = Lender(addresses)
    reactor.callWhenRunning(lambda: addresses.start().addCallback(ready))
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
