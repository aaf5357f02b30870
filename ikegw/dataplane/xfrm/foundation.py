"""What all SAs stand on: sockets to the kernel, the device, routes into it, and IKE's own sockets let alone."""

import errno
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFDSet

from ikegw.dataplane import netlink
from ikegw.dataplane.interface import STRICT_REVERSE_PATH, reverse_path_is_strict
from ikegw.dataplane.prefixes import Selector
from ikegw.dataplane.routing import Lead, Routing
from ikegw.dataplane.rtnetlink import AddressChanges, Netlink
from ikegw.dataplane.shunts import Shunts
from ikegw.dataplane.xfrm import encoding, thresholds
from ikegw.dataplane.xfrm.device import Device, make_device, remove_leftovers
from ikegw.dataplane.xfrm.hearing import Hearing
from ikegw.dataplane.xfrm.ours import IF_ID, REQIDS, claim
from ikegw.dataplane.xfrm.reading import readable
from ikegw.dataplane.xfrm.refusals import refused
from ikegw.dataplane.xfrm.requests import Outcome, Requests
from ikegw.dataplane.xfrm.sockets import exempt, take_esp
from ikegw.dataplane.xfrm.values import PolicyReport, StateReport, Told
from ikegw.dataplane.xfrm.watching import Watching
from ikegw.paths import Address
from ikegw.ports import DataPlaneError


def open_xfrm() -> socket.socket:
    """A NETLINK_XFRM socket; DataPlaneError with what is missing."""
    try:
        return netlink.open_socket(socket.NETLINK_XFRM)
    except OSError as error:
        if error.errno == errno.EPROTONOSUPPORT:
            raise DataPlaneError("this kernel has no IPsec for user space (CONFIG_XFRM_USER)") from error
        raise DataPlaneError(f"cannot reach the kernel's IPsec: {error}") from error


class Foundation:
    """Made by `open`, which leaves nothing open if it fails; `close` takes it all away."""

    requests: Requests
    hearing: Hearing
    device: Device

    def __init__(
        self,
        reactor: IReactorFDSet,
        device: str,
        mtu: int,
        ike_sockets: Sequence[socket.socket],
        nat_t_sockets: Sequence[socket.socket],
    ) -> None:
        self.notes: list[str] = []
        self._reactor, self._pattern, self._mtu = reactor, device, mtu
        self._ike_sockets, self._nat_t_sockets = ike_sockets, nat_t_sockets
        self._undo = ExitStack()

    def open(
        self,
        heard: Callable[[Told], None],
        overrun: Callable[[], None],
        addresses_changed: Callable[[], None],
    ) -> None:
        """Claim the kernel's IPsec and make what we need; DataPlaneError, and then nothing stays."""
        try:
            self._open(heard, overrun, addresses_changed)
        except OSError as error:
            self._undo.close()
            raise DataPlaneError(f"cannot use the kernel's IPsec: {error}") from error
        except DataPlaneError:
            self._undo.close()
            raise

    def _open(
        self,
        heard: Callable[[Told], None],
        overrun: Callable[[], None],
        addresses_changed: Callable[[], None],
    ) -> None:
        self._undo.callback(claim().close)
        self.requests = Requests(self._reactor, open_xfrm())
        self._undo.callback(self.requests.close)
        self.hearing = Hearing(self._reactor, open_xfrm(), heard, overrun)
        self._undo.callback(self.hearing.close)
        self._netlink = Netlink()
        self._undo.callback(self._netlink.close)
        if remove_leftovers(self._netlink):
            self.notes.append("a gateway that was killed had left its device; it is removed")
        self.device = make_device(self._netlink, self._pattern, self._mtu)
        self._undo.callback(self._netlink.delete_link, self.device.index)
        self._routing = Routing(self._netlink, self.device.index)
        self._undo.callback(self._routing.clear)
        self._let_ike_pass()
        if reverse_path_is_strict():
            self.notes.append(STRICT_REVERSE_PATH)
        changes = AddressChanges()
        self._undo.callback(changes.close)

        def changed() -> None:
            changes.drain()
            self._routing.ours = tuple(self._netlink.addresses())
            addresses_changed()

        self._undo.callback(Watching(self._reactor, changes.fileno(), "addresses", changed).stop)
        self._routing.ours = tuple(self._netlink.addresses())

    def _let_ike_pass(self) -> None:
        for each in self._ike_sockets:
            exempt(each)
        for each in self._nat_t_sockets:
            try:
                take_esp(each)
            except OSError as error:
                host = each.getsockname()[0]
                self.notes.append(f"no ESP in UDP on {host} ({error.strerror or error})")
            else:
                self._undo.callback(_give_back, each)

    def close(self) -> None:
        """Take the device, its routes and rules away, and close."""
        self._undo.close()

    # ------------------------------------------------------------ routes

    def lead(
        self,
        name: str,
        local: Iterable[Selector],
        remote: Iterable[Selector],
        virtual: Iterable[Address] = (),
    ) -> Lead:
        """Lead what `remote` selects into the device, and put `virtual` on it; DataPlaneError, and then nothing stays."""
        try:
            return self._routing.lead(local, remote, virtual)
        except OSError as error:
            raise DataPlaneError(f"{name}: its routes: {error}") from error

    def unlead(self, lead: Lead | None) -> None:
        """Take a lead back, as far as it is still there."""
        try:
            if lead is not None:
                lead.undo()
        except OSError as error:
            self.notes.append(str(error))

    def lead_anew(self, lead: Lead, local: Iterable[Selector], remote: Iterable[Selector]) -> Lead:
        """The same lead from whichever of our addresses fits now. If that is gone again, the next change tells."""
        try:
            return self._routing.lead_anew(lead, local, remote)
        except OSError:
            return lead

    @property
    def shunts(self) -> Shunts:
        """Those of the device's routing."""
        return self._routing.shunts

    def index_of(self, address: Address) -> int:
        """The interface that has the address, 0 if none has."""
        return self._netlink.index_of(address)

    # ------------------------------------------------------------ leftovers

    def clean(self) -> "Deferred[None]":
        """Remove the SAs and policies of ours that a killed gateway left: nobody else's, and all that are there are its."""

        def remove(outcomes: list[Outcome]) -> "Deferred[list[Outcome]]":
            said = outcomes[0].refusal
            if said is not None:
                raise refused("listing what the kernel's IPsec has", said)
            requests: list[encoding.Request] = []
            states = 0
            for told in readable(outcomes):
                if isinstance(told, StateReport) and told.reqid in REQIDS:
                    requests.append(encoding.delete_state(told.id))
                    states += 1
                elif isinstance(told, PolicyReport) and _is_ours(told):
                    which = (told.direction, told.index, told.if_id, told.mark)
                    requests.append(encoding.delete_policy_numbered(*which))
            if states:
                self.notes.append(f"{states} SAs that a killed gateway had left are removed")
            return self.requests.ask(requests)

        # One after the other: the kernel lists one thing at a time.
        cleaned = self.requests.ask([encoding.dump_policies()]).addCallback(remove)
        cleaned.addCallback(lambda _: self.requests.ask([encoding.dump_states()]))
        return cleaned.addCallback(remove).addCallback(lambda _: self._hash_remotes())

    # ------------------------------------------------------------ many policies

    def _hash_remotes(self) -> "Deferred[None]":
        """Have many policies cost no more than few, unless the operator has chosen how they are hashed."""

        def told(outcomes: list[Outcome]) -> "Deferred[list[Outcome]] | None":
            standing = [thresholds.read(answer) for answer in outcomes[0].told]
            if standing not in ([thresholds.KERNELS], [thresholds.OURS]):
                return None
            self._undo.callback(self.requests.ask, [thresholds.set_to(thresholds.KERNELS)])
            return self.requests.ask([thresholds.set_to(thresholds.OURS)])

        return self.requests.ask([thresholds.ask()]).addCallback(told).addCallback(lambda _: None)


def _is_ours(policy: PolicyReport) -> bool:
    return policy.if_id == IF_ID or any(reqid in REQIDS for reqid in policy.reqids)


def _give_back(sock: socket.socket) -> None:
    if sock.fileno() >= 0:
        take_esp(sock, wanted=False)
