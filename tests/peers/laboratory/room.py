"""One laboratory: a network, the daemons in it, their files; `close` ends them all and shows nothing unless asked."""

from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from attrs import define, field

from ikegw.testing.pki import Authority, Party
from laboratory.freeradius import USERS, FreeRadius, loopback_address
from laboratory.gateway import Ikegw
from laboratory.namespaces import Namespace, Network, sweep
from laboratory.ocsp_responder import OcspResponder
from laboratory.processes import Daemon
from laboratory.publisher import Publisher
from laboratory.settings import Tree
from laboratory.strongswan import StrongSwan


class Stoppable(Protocol):
    """Whatever runs a daemon of ours."""

    @property
    def daemon(self) -> Daemon: ...

    def stop(self) -> object: ...


@define
class Laboratory:
    """Make namespaces in `network`, daemons with `strongswan` and `ikegw`."""

    directory: Path
    network: Network = field(factory=Network)
    daemons: list[Stoppable] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        sweep()

    def strongswan(
        self,
        name: str,
        place: Namespace,
        charon: Tree | None = None,
        *,
        eap: bool = False,
        radius: FreeRadius | None = None,
        by_kernel: bool = False,
    ) -> StrongSwan:
        """A strongSwan, started; `charon` are more settings of strongswan.conf, `eap` loads its EAP methods.

        It asks `radius` about logins, if there is one.
        """
        asked: Tree = (
            {} if radius is None else {radius.name: {"address": radius.address, "secret": radius.secret}}
        )
        peer = StrongSwan(name, place, self.directory / name, charon or {}, eap, asked, by_kernel)
        self.daemons.append(peer)
        peer.start()
        return peer

    def ikegw(self, name: str, place: Namespace) -> Ikegw:
        """An ikegw, which starts when it is given its settings."""
        gateway = Ikegw(name, place, self.directory / name)
        self.daemons.append(gateway)
        return gateway

    def freeradius(
        self,
        name: str,
        place: Namespace | None = None,
        address: str = "127.0.0.1",
        users: str = USERS,
        eap: str = "mschapv2",
        tls: str = "1.3",
        further: str = "",
    ) -> FreeRadius:
        """A FreeRADIUS, started; without a place on an address of its own of this host's loopback."""
        there = address if place else loopback_address()
        server = FreeRadius(
            name, self.directory / name, there, place, users, eap=eap, tls=tls, further=further
        )
        self.daemons.append(server)
        server.start()
        return server

    def publisher(self, name: str, place: Namespace, address: str) -> Publisher:
        """A web server, started."""
        publisher = Publisher(name, place, self.directory / name, address)
        self.daemons.append(publisher)
        publisher.start()
        return publisher

    def ocsp_responder(
        self, name: str, place: Namespace, authority: Authority, signer: Party | None = None
    ) -> OcspResponder:
        """An OCSP responder, which starts when it is told what to answer."""
        responder = OcspResponder(name, place, self.directory / name, authority, signer)
        self.daemons.append(responder)
        return responder

    def peer(self, kind: str, name: str, place: Namespace, charon: Tree | None = None) -> StrongSwan | Ikegw:
        """A daemon by its kind's name, `strongswan` (then with `charon`) or `ikegw`."""
        return self.ikegw(name, place) if kind == "ikegw" else self.strongswan(name, place, charon)

    def logs(self) -> str:
        """The ends of all logs."""
        return "\n\n".join(each.daemon.tail() for each in self.daemons)

    def close(self) -> None:
        """Stop every daemon, the last first, and remove the network."""
        with ExitStack() as finally_:
            finally_.callback(self.network.close)
            for each in self.daemons:
                finally_.callback(each.stop)
