"""IKE SAs whose ends move: NAT mappings that change (RFC 7296 §2.23), and MOBIKE in both roles (RFC 4555; row P-08).

What MOBIKE calls the initiator is who began the session's first IKE SA, whoever rekeyed it since.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attrs import define, field

from ikegw.crypto.compare import equal
from ikegw.ike import mobike, nat
from ikegw.paths import Address, Endpoint, Path
from ikegw.policy.connections import ordinal
from ikegw.wire.message import Message
from ikegw.wire.notify import Notify
from ikegw.wire.registry import NotifyType

if TYPE_CHECKING:
    from ikegw.ike.sa import IkeSa

SETTLING_SECONDS = 5.0
"""After a move, for so long, ESP from elsewhere is taken for what was still under way on the old path."""

MOST_RETRIES = 3
"""How often UNEXPECTED_NAT_DETECTED is not believed (RFC 4555 §3.9: someone may have changed a single packet)."""

_COOKIE_OCTETS = 16


def follow_mapping(sa: "IkeSa", path: Path) -> None:
    """Something authentic and new came on `path`: if that can only be a NAT's new mapping for the peer, follow it.

    Never where we are behind a NAT ourselves: there one packet of an attacker could break the connection (RFC 7296 §2.23).
    """
    follows = sa.peer_behind_nat and not sa.behind_nat
    if follows and path.remote != sa.path.remote and path.local == sa.path.local:
        sa.go_over(path)
        sa.lead_children()


def follow_esp(sa: "IkeSa", path: Path) -> None:
    """The same for ESP, which may be followed with MOBIKE too (RFC 4555 §3.8): a peer need not notice that its NAT changed."""
    if not sa.armed("settling"):
        follow_mapping(sa, path)


def nat_detection(sa: "IkeSa", path: Path) -> tuple[Notify, ...]:
    """The NAT-D notifies of a message that goes out on `path`; none where the connection does no NAT traversal."""
    if not sa.connection.nat_traversal:
        return ()
    found = nat.detection(sa.spi_initiator, sa.spi_responder, (path.local,), path.remote)
    if sa.connection.force_encapsulation:
        return (nat.disguise(sa.surroundings.random(20)), found[-1])
    return found


def announcement(sa: "IkeSa") -> tuple[Notify, ...]:
    """What an initiator says in IKE_AUTH (§3.1, §3.4, §3.9), if the connection lets peers move."""
    if not sa.connection.mobike:
        return ()
    where = mobike.elsewhere(sa.path, sa.surroundings.transport.addresses())
    forbidden = () if sa.connection.nat_traversal else (mobike.no_nats(sa.path),)
    return (mobike.SUPPORTED, *where, *forbidden)


def agree(sa: "IkeSa", message: Message) -> tuple[Notify, ...]:
    """Look at the peer's IKE_AUTH message: if both ends speak MOBIKE it is in use from now on. The notifies to answer with."""
    if not sa.connection.mobike or message.notify(NotifyType.MOBIKE_SUPPORTED) is None:
        return ()
    sa.roaming = Roaming(sa, sa.path, mobike.addresses_in(message) or ())
    return (mobike.SUPPORTED, *mobike.elsewhere(sa.path, sa.surroundings.transport.addresses()))


@define(eq=False)
class Roaming:
    """MOBIKE of one IKE SA. `checked` is the path that the peer was surely reached on, `elsewhere` are its other addresses."""

    sa: "IkeSa" = field(repr=False)
    checked: Path
    elsewhere: tuple[Address, ...] = ()
    _seen_as: bytes = field(default=b"", init=False)
    """How the peer last saw us: its N(NAT_DETECTION_DESTINATION_IP)."""

    _asked: Path | None = field(default=None, init=False)
    """The path that our outstanding request is about, and the cookie in it."""

    _cookie: bytes = field(default=b"", init=False, repr=False)
    _latest: int = field(default=0, init=False)
    """The Message ID of the peer's latest N(UPDATE_SA_ADDRESSES)."""

    _to_check: bool = field(default=False, init=False)
    _tried: set[Path] = field(factory=set, init=False)
    _refused: set[Path] = field(factory=set, init=False)
    _retries: int = field(default=0, init=False)

    def passed_on(self, heir: "IkeSa") -> "Roaming":
        """The same for the IKE SA that rekeying puts in the place of ours."""
        return Roaming(heir, self.checked, self.elsewhere)

    # ------------------------------------------------------------ the peer's requests (row P-08)

    def serve(self, message: Message, path: Path) -> tuple[Notify, ...]:
        """Act on an INFORMATIONAL request that came on `path`; what to answer about it."""
        cookie, others = message.notify(NotifyType.COOKIE2), mobike.addresses_in(message)
        echoed = () if cookie is None else (Notify(NotifyType.COOKIE2, cookie.data),)
        asks = message.notify(NotifyType.UPDATE_SA_ADDRESSES) is not None and not self.sa.initiator_of_session
        if asks and message.header.message_id < self._latest:
            return echoed  # of two requests in one window, the later one tells where the peer is
        if (asks or others is not None) and mobike.came_through_nat(message, path):
            return (Notify(NotifyType.UNEXPECTED_NAT_DETECTED), *echoed)
        if others is not None:
            self.elsewhere = others
        if asks and not self._update(message, path):
            return (Notify(NotifyType.UNACCEPTABLE_ADDRESSES), *echoed)
        detection = nat_detection(self.sa, path) if _detects(message) else ()
        return (*detection, *echoed)

    def _update(self, message: Message, path: Path) -> bool:
        sa, self._latest = self.sa, message.header.message_id
        if not self._allowed(path.local.address, path.remote.address):
            why = f"the peer wants to move to {path.remote}, where the connection does not let it be"
            sa.tell_refused(NotifyType.UNACCEPTABLE_ADDRESSES.name, why)
            return False
        self._go_over(path, message)
        if path == self.checked or not sa.connection.return_routability:
            self.checked = path
            sa.lead_children()
        else:
            self._to_check = True
        return True

    def served(self) -> None:
        """The request was answered: now ask whether the peer is where it says."""
        if self._to_check:
            self._to_check = False
            self.sa.established.update()

    def _go_over(self, path: Path, message: Message) -> None:
        traverses = self.sa.connection.nat_traversal and _detects(message)
        self.sa.go_over(path, nat.detect(message, path) if traverses else None)
        self._settle()

    def _settle(self) -> None:
        """ESP under way on the old path must not lead us back; whoever is elsewhere still after a while is told anew."""
        self.sa.arm("settling", SETTLING_SECONDS, lambda: self.sa.lead_children(anew=True))

    def _allowed(self, local: Address, remote: Address) -> bool:
        return self.sa.connection.closeness(ordinal(local), ordinal(remote)) is not None

    # ------------------------------------------------------------ our requests

    @property
    def is_settled(self) -> bool:
        """May ESP go where IKE goes? Not to a peer that moved, before it was asked there."""
        return self.sa.initiator_of_session or self.sa.path == self.checked

    @property
    def has_to_ask(self) -> bool:
        """Is there still something to ask? A responder's check is needless if the peer is back where it was."""
        return self.sa.initiator_of_session or self.sa.path != self.checked

    def request(self) -> tuple[Notify, ...]:
        """{N(UPDATE_SA_ADDRESSES), …} of who began; {N(COOKIE2)} of the other side, to see whether the peer is there (§3.7)."""
        sa = self.sa
        path = self._asked = sa.path
        self._cookie = sa.surroundings.random(_COOKIE_OCTETS)
        cookie = Notify(NotifyType.COOKIE2, self._cookie)
        if not sa.initiator_of_session:
            return (cookie,)
        return (
            Notify(NotifyType.UPDATE_SA_ADDRESSES),
            *(nat_detection(sa, path) or (mobike.no_nats(path),)),
            cookie,
            *mobike.elsewhere(path, sa.surroundings.transport.addresses()),
        )

    def answered(self, message: Message) -> bool:
        """The answer to `request`; False if it is not the peer's own, and the IKE SA has to end."""
        cookie, path = message.notify(NotifyType.COOKIE2), self._asked
        if cookie is None or not equal(cookie.data, self._cookie):
            return False
        if path is None or path != self.sa.path:
            self.sa.established.update()  # moved again meanwhile: it tells nothing about where we are now
        elif not self.sa.initiator_of_session:
            self._check_passed(path)
        elif message.notify(NotifyType.UNEXPECTED_NAT_DETECTED) is not None:
            self._nat_forbidden()
        elif message.notify(NotifyType.UNACCEPTABLE_ADDRESSES) is not None:
            self._unacceptable(path)
        else:
            self._accepted(message, path)
        return True

    def _check_passed(self, path: Path) -> None:
        self.checked = path
        self.sa.lead_children()

    def _accepted(self, message: Message, path: Path) -> None:
        self._retries = 0
        self._refused.clear()
        self._seen_as = _destination(message)
        self._go_over(path, message)
        self.checked = path
        self.sa.lead_children()

    def _nat_forbidden(self) -> None:
        self._retries += 1
        self.sa.tell_refused(
            NotifyType.UNEXPECTED_NAT_DETECTED.name,
            "there is a NAT between us and the peer, and nat_traversal is off",
            by_peer=True,
        )
        if self._retries <= MOST_RETRIES:
            self.sa.established.update()

    def _unacceptable(self, path: Path) -> None:
        self._refused.add(path)
        self.sa.tell_refused(
            NotifyType.UNACCEPTABLE_ADDRESSES.name, f"the peer will not have us at {path.local}", by_peer=True
        )
        other = next((one for one in self._paths() if one not in self._refused), None)
        if other is not None:
            self._move(other)

    # ------------------------------------------------------------ when the session's initiator moves

    def addresses_changed(self) -> None:
        """Our addresses or routes changed: go over to the path that routing prefers now."""
        if not self.sa.initiator_of_session:
            return
        self._refused.clear()
        best = next(self._paths(), None)
        if best is not None and best != self.sa.path:
            self._move(best)
        elif self.sa.behind_nat:  # perhaps behind another one, which gave us the same address
            self.sa.established.update()

    def _move(self, path: Path) -> None:
        self.sa.go_over(path)
        self.sa.lead_children()
        self._settle()
        self.sa.established.update()

    def path_for(self, tries: int) -> Path:
        """Where to send a request that was sent `tries` times in vain: after half of them every path gets its turn."""
        sa = self.sa
        beyond = tries - (sa.connection.retransmit.tries + 1) // 2
        if not sa.initiator_of_session or sa.up_since is None or beyond < 0:
            return sa.path
        others = [path for path in self._paths() if path != sa.path]
        path = [*others, sa.path][beyond % (len(others) + 1)]
        self._tried.add(path)
        return path

    def heard_on(self, path: Path) -> None:
        """An answer came on this path: if it is one that we tried, it works, and the one in use does not."""
        if path in self._tried and path != self.sa.path:
            self._move(path)
        self._tried.clear()

    def _paths(self) -> Iterator[Path]:
        """Every way to the peer, the one that routing prefers first."""
        sa, transport = self.sa, self.sa.surroundings.transport
        for remote in dict.fromkeys((sa.path.remote.address, *self.elsewhere)):
            routed = transport.source(remote, sa.connection.own_address)
            ours = (() if routed is None else (routed.address,)) + transport.addresses()
            for local in dict.fromkeys(ours):
                source = transport.source(remote, local)
                if source is None or local.version != remote.version or local.is_link_local:
                    continue
                if self._allowed(local, remote):
                    yield self._path(source, remote)

    def _path(self, source: Endpoint, remote: Address) -> Path:
        """On the ports that are in use: 500, or those of NAT traversal."""
        sa, transport = self.sa, self.sa.surroundings.transport
        there = sa.path.remote
        path = Path(source, Endpoint(remote, sa.connection.remote_port))
        if sa.path.local.port == transport.nat_t_port(sa.path):
            path = path.floated(transport.nat_t_port(path), sa.connection.remote_nat_t_port)
        return Path(path.local, there) if remote == there.address else path

    # ------------------------------------------------------------ when the initiator's NAT changes (§3.8)

    def liveness(self) -> tuple[Notify, ...]:
        """What goes along with a liveness check: how the message left us, if a NAT changes it on the way."""
        sa = self.sa
        return nat_detection(sa, sa.path) if sa.initiator_of_session and sa.behind_nat else ()

    def alive(self, message: Message) -> None:
        """The answer to a liveness check: if the peer sees us elsewhere than before, tell it that it is really us."""
        if self.liveness() and _detects(message) and _destination(message) != self._seen_as:
            self.sa.established.update()


def _detects(message: Message) -> bool:
    return message.notify(NotifyType.NAT_DETECTION_SOURCE_IP) is not None


def _destination(message: Message) -> bytes:
    notify = message.notify(NotifyType.NAT_DETECTION_DESTINATION_IP)
    return b"" if notify is None else notify.data
