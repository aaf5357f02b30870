"""What we accept from whom: connections and their children, and which of them a peer belongs to (row G-04).

All are frozen values, as the configuration made them. Durations are seconds, 0 where a timer is off.
"""

from collections.abc import Sequence
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from attrs import evolve, field, frozen

from ikegw.policy.authorities import RevocationPolicy
from ikegw.policy.carriage import PLAIN, Carriage
from ikegw.policy.demands import NO_DEMANDS, Demands
from ikegw.policy.groups import Group
from ikegw.policy.identities import ANY, IdentityPattern, Normal, normal
from ikegw.policy.proposals import DEFAULT_ESP, DEFAULT_IKE, Offer
from ikegw.policy.selectors import DYNAMIC, Dynamic
from ikegw.policy.updown import Script
from ikegw.wire.identification import Identity
from ikegw.wire.selectors import TrafficSelector

__all__ = [
    "DYNAMIC", "AuthKind", "ChildPolicy", "Connection", "DpdAction", "Dynamic", "EapIdentity", "EapMethod", "LocalAuth",
    "RemoteAuth", "Retransmit", "SendCertificate", "StartAction", "Unique", "for_addresses", "for_identities",
    "for_second_identity",
]  # fmt: skip

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Span = tuple[int, int, int]
"""First and last address of a network, by `ordinal`, and one more than its prefix length: how closely it fits."""


def ordinal(address: Address) -> int:
    """All addresses of both families in one row; comparing numbers is what looking through many connections can afford."""
    return int(address) if address.version == 4 else int(address) | 1 << 128


def _span(network: Network) -> Span:
    return ordinal(network.network_address), ordinal(network.broadcast_address), network.prefixlen + 1


def _closest(spans: tuple[Span, ...], address: int) -> int | None:
    best = None
    for low, high, close in spans:
        if low <= address <= high and (best is None or close > best):
            best = close
    return best


class AuthKind(Enum):
    """How a side proves who it is."""

    PSK = "psk"
    PUBKEY = "pubkey"
    EAP = "eap"


class EapMethod(Enum):
    """The EAP methods that we can log in with."""

    TLS = "tls"
    TTLS_MSCHAPV2 = "ttls-mschapv2"
    TTLS_PAP = "ttls-pap"
    MSCHAPV2 = "mschapv2"
    GTC = "gtc"
    MD5 = "md5"


class EapIdentity(Enum):
    """Where the name comes from under which a client logs in by EAP.

    AUTO takes IDi when it is a mail address, else asks; ASK always asks; IDI never does.
    """

    AUTO = "auto"
    ASK = "ask"
    IDI = "idi"


class StartAction(Enum):
    """What a child does when the configuration is loaded, or when the peer closed it."""

    NONE = "none"
    START = "start"
    TRAP = "trap"


class DpdAction(Enum):
    """What follows when a peer no longer answers."""

    CLEAR = "clear"
    RESTART = "restart"
    TRAP = "trap"


class Unique(Enum):
    """What happens when a peer's identity already has an IKE SA on this connection.

    REPLACE deletes the old one; KEEP leaves it unless the peer says INITIAL_CONTACT; NEVER lets all stand and pays
    INITIAL_CONTACT no heed. REFUSE turns the newcomer away, whatever it says, and asks the old one whether it is alive; only
    from where the old one is may it come, to authenticate anew.
    """

    REPLACE = "replace"
    KEEP = "keep"
    REFUSE = "refuse"
    NEVER = "never"


class OcspUse(Enum):
    """What is done with OCSP answers in IKE (RFC 4806): a peer's request is answered, we ask the peer, both, or neither."""

    REPLY = "reply"
    REQUEST = "request"
    BOTH = "both"
    NEVER = "never"


class SendCertificate(Enum):
    """When we send our certificate: IF_ASKED waits for a CERTREQ of the peer."""

    ALWAYS = "always"
    IF_ASKED = "ifasked"
    NEVER = "never"


@frozen
class LocalAuth:
    """How we prove who we are. Without an identity it is what the peer asks us to be, else our address.

    `certificates` are names of files in `certs/`, the end entity's first. By EAP we log in as `eap_identity` (empty: as
    `identity`), with one of `eap_methods`. If the method checks its server's certificate, that must be `aaa_identity`'s
    (empty: the responder's), under one of `aaa_authorities`, files in `ca/` (none: all of them). `ocsp_replies`: a peer that
    asks gets OCSP answers about our certificates along with them (RFC 4806).
    """

    kind: AuthKind
    identity: Identity | None = None
    certificates: tuple[str, ...] = ()
    eap_identity: str = ""
    eap_methods: tuple[EapMethod, ...] = (EapMethod.TLS, EapMethod.TTLS_MSCHAPV2, EapMethod.MSCHAPV2)
    aaa_identity: str = ""
    aaa_authorities: tuple[str, ...] = ()
    ocsp_replies: bool = True
    normal_identity: Normal | None = field(init=False, eq=False, repr=False)

    @normal_identity.default
    def _normal_identity(self) -> Normal | None:
        return None if self.identity is None else normal(self.identity)


@frozen
class RemoteAuth:
    """How a peer must prove who it is.

    `authorities` are names of files in `ca/` (none: all of them), `certificates` in `certs/` (none: any that a CA vouches for).
    `hash_and_url`: it may name certificates by hash and URL (RFC 7296 §3.6), which are fetched before anything is known of it.
    `ocsp_requests`: it is asked for OCSP answers about its certificates (RFC 4806).
    """

    kind: AuthKind
    identity: IdentityPattern = ANY
    authorities: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    eap_identity: EapIdentity = EapIdentity.AUTO
    revocation: RevocationPolicy = RevocationPolicy.IF_AVAILABLE
    hash_and_url: bool = False
    ocsp_requests: bool = False
    demands: Demands = NO_DEMANDS

    @property
    def pinned(self) -> bool:
        """Whether only certain certificates count, which are trusted by themselves."""
        return bool(self.certificates or self.demands.pins)


@frozen
class Retransmit:
    """When a request is sent again: `first` seconds after it, then each wait `factor` times the last, `tries` times.

    `jitter` is the largest part of a wait that may be taken off at random, 0 to 1; no wait exceeds `limit`.
    """

    first: float = 2.0
    factor: float = 1.8
    tries: int = 5
    jitter: float = 0.1
    limit: float = 60.0

    def wait(self, sent: int) -> float:
        """Seconds to wait after the message was sent `sent` times (1 or more), before jitter."""
        return float(min(self.first * self.factor ** (sent - 1), self.limit))


@frozen
class ChildPolicy:
    """A CHILD SA as configured. `life_seconds` and `jitter_seconds` None: 10 % of `rekey_seconds`, on top and off it.

    Rekeying starts at `rekey_seconds` less up to `jitter_seconds` at random. Octets and packets are counted for each direction.
    """

    name: str
    local_selectors: tuple[TrafficSelector | Dynamic, ...] = (DYNAMIC,)
    remote_selectors: tuple[TrafficSelector | Dynamic, ...] = (DYNAMIC,)
    proposals: tuple[Offer, ...] = DEFAULT_ESP
    start: StartAction = StartAction.NONE
    dpd: DpdAction = DpdAction.CLEAR
    close: StartAction = StartAction.NONE
    rekey_seconds: float = 3600.0
    life_seconds: float | None = None
    jitter_seconds: float | None = None
    rekey_octets: int | None = None
    life_octets: int | None = None
    rekey_packets: int | None = None
    life_packets: int | None = None
    replay_window: int = 1024
    carriage: Carriage = PLAIN
    updown: Script | None = None

    @property
    def hard_seconds(self) -> float:
        """When it ends, 0 for never."""
        return self.rekey_seconds * 1.1 if self.life_seconds is None else self.life_seconds

    @property
    def jitter(self) -> float:
        """The most seconds that rekeying may start early."""
        return self.rekey_seconds * 0.1 if self.jitter_seconds is None else self.jitter_seconds


@frozen
class Connection:
    """An IKE SA as configured, for one peer or for many.

    `second_local` and `second_remote` are what a side proves itself by besides, an EAP login after key or certificate (RFC 4739).
    `local_addresses` and `remote_addresses` empty: any. `virtual` are addresses to ask of the peer, 0.0.0.0 or :: for any one.
    Where there are `groups`, only their members are let in.
    `pools` lend addresses to the peer, `domains` are told with them (RFC 8598). `aaa` names who says whether its EAP login is
    good, `accounting` the RADIUS realm that is told of its sessions, empty for nobody. `keep_ike` keeps the IKE SA when its first
    child could not be made (rows I-18, IE-13).
    `window` is how many requests of the peer we take at once (RFC 7296 §2.3).
    `address_expiry`: ask also for how long they are lent, and again before that is over (row Q-21).
    `tries` is how often an initiator begins anew before it gives up, 0 for ever.
    """

    name: str
    local: LocalAuth
    remote: RemoteAuth
    children: tuple[ChildPolicy, ...] = ()
    proposals: tuple[Offer, ...] = DEFAULT_IKE
    local_addresses: tuple[Network, ...] = ()
    remote_addresses: tuple[Network, ...] = ()
    local_port: int = 500
    remote_port: int = 500
    remote_nat_t_port: int = 4500
    pools: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    aaa: str = ""
    accounting: str = ""
    virtual: tuple[Address, ...] = ()
    nat_traversal: bool = True
    force_encapsulation: bool = False
    mobike: bool = True
    return_routability: bool = True
    fragmentation: bool = True
    unique: Unique = Unique.REPLACE
    send_certificate: SendCertificate = SendCertificate.ALWAYS
    keep_ike: bool = False
    tries: int = 1
    retransmit: Retransmit = Retransmit()
    window: int = 1
    half_open_seconds: float = 30.0
    dpd_seconds: float = 60.0
    keepalive_seconds: float = 20.0
    rekey_seconds: float = 14400.0
    over_seconds: float | None = None
    jitter_seconds: float | None = None
    reauth_seconds: float = 0.0
    second_local: LocalAuth | None = None
    second_remote: RemoteAuth | None = None
    groups: tuple[Group, ...] = ()
    address_expiry: bool = False
    _local_spans: tuple[Span, ...] = field(init=False, eq=False, repr=False)
    _remote_spans: tuple[Span, ...] = field(init=False, eq=False, repr=False)

    @_local_spans.default
    def _spans_of_ours(self) -> tuple[Span, ...]:
        return tuple(map(_span, self.local_addresses))

    @_remote_spans.default
    def _spans_of_theirs(self) -> tuple[Span, ...]:
        return tuple(map(_span, self.remote_addresses))

    @property
    def lets_in_by_eap(self) -> bool:
        """Does a peer log in here by EAP, alone or after another proof?"""
        return self.remote.kind is AuthKind.EAP or self.second_remote is not None

    @property
    def peer(self) -> Address | None:
        """Whom to call as initiator: the remote address, when it is exactly one host."""
        return _only_host(self.remote_addresses)

    @property
    def own_address(self) -> Address | None:
        """Our own address, when it is exactly one host."""
        return _only_host(self.local_addresses)

    def closeness(self, local: int, remote: int) -> tuple[int, int] | None:
        """How closely it fits two addresses (by `ordinal`): the peer's, ours; 0 where any is welcome. None: not at all."""
        theirs = _closest(self._remote_spans, remote) if self._remote_spans else 0
        if theirs is None:
            return None
        ours = _closest(self._local_spans, local) if self._local_spans else 0
        return None if ours is None else (theirs, ours)

    @property
    def hard_seconds(self) -> float:
        """When an IKE SA that could not be rekeyed ends, 0 for never."""
        if not self.rekey_seconds and not self.reauth_seconds:
            return 0.0
        longest = max(self.rekey_seconds, self.reauth_seconds)
        return longest * 1.1 if self.over_seconds is None else longest + self.over_seconds

    def jitter_of(self, seconds: float) -> float:
        """The most seconds that what is due after `seconds` may start early: never so much that it were due at once."""
        return seconds * 0.1 if self.jitter_seconds is None else min(self.jitter_seconds, seconds * 0.5)

    def child(self, name: str) -> ChildPolicy | None:
        """The child of that name."""
        return next((child for child in self.children if child.name == name), None)


def _only_host(networks: tuple[Network, ...]) -> Address | None:
    if len(networks) == 1 and networks[0].prefixlen == networks[0].max_prefixlen:
        return networks[0].network_address
    return None


def for_addresses(
    connections: Sequence[Connection], local: Address, remote: Address
) -> tuple[Connection, ...]:
    """The connections that a peer at `remote` may use at our address `local`, the most specific first.

    The peer's address counts before ours; equals keep the order of the configuration.
    """
    ours, theirs = ordinal(local), ordinal(remote)
    found = [(close, one) for one in connections if (close := one.closeness(ours, theirs)) is not None]
    if len(found) > 1:
        found.sort(key=lambda match: match[0], reverse=True)  # stable, also in reverse
    return tuple(connection for _, connection in found)


def for_identities(
    candidates: Sequence[Connection], idi: Identity, idr: Identity | None
) -> tuple[Connection, ...]:
    """Those of `candidates` whose peer may be `idi`, the best match first: exact, then wildcards, then `%any`.

    An initiator that named us by `idr` gets only connections on which we are that, or which leave our identity open.
    """
    found = []
    who, asked = normal(idi), None if idr is None else normal(idr)
    for connection in candidates:
        own = connection.local.normal_identity
        meant = asked is not None and own is not None
        if meant and own != asked:
            continue
        rank = connection.remote.identity.rank(idi, who)
        if rank:
            found.append((rank, meant, connection))
    if len(found) > 1:
        found.sort(key=lambda match: (-match[0], not match[1]))
    return tuple(connection for _, _, connection in found)


def for_second_identity(
    candidates: Sequence[Connection], admitted: Connection, idi: Identity
) -> tuple[Connection, ...]:
    """Those of `candidates` on which a peer that proved itself on `admitted` may go on as `idi`; the best match first.

    Its first proof, and ours, must be worth as much there: the same keys, certificates, authorities and rules of revocation.
    """
    found, who = [], normal(idi)
    for connection in candidates:
        second = connection.second_remote
        rank = 0 if second is None else second.identity.rank(idi, who)
        if rank and _first_proofs(connection) == _first_proofs(admitted):
            found.append((rank, connection))
    found.sort(key=lambda match: -match[0])
    return tuple(connection for _, connection in found)


def _first_proofs(connection: Connection) -> tuple[object, ...]:
    return connection.local, evolve(connection.remote, identity=ANY), connection.mobike
