"""What happened, as frozen values given to one `publish`. Log, metrics and the control socket are fed from these alone."""

from collections.abc import Callable
from enum import Enum
from ipaddress import IPv4Interface, IPv6Interface

from attrs import frozen

from ikegw.paths import Endpoint, Path
from ikegw.session import EndCause, SaName, Session
from ikegw.wire.identification import Identity
from ikegw.wire.selectors import TrafficSelector


class AuthFailure(Enum):
    """The paper's five reasons (III.B) why authentication fails, and more exactly what AAA servers and certificates have to do
    with that; told apart in the log, never on the wire.
    """

    NO_CONFIGURATION = "no connection is configured for this peer"
    METHOD_NOT_ALLOWED = "the peer's authentication method is not supported or not allowed here"
    NO_OWN_MATERIAL = "we have nothing to prove our own identity with"
    NOT_AUTHENTIC = "the peer did not prove its identity"
    OUT_OF_TIME = "a certificate is not valid at the time that this host's clock shows"
    REVOKED = "the peer's certificate, or one above it, was revoked"
    AAA_REJECTED = "the AAA server does not let the user in"
    AAA_FAILED = "no AAA server gave an answer that can be believed"
    TOO_MANY_SESSIONS = "the user has as many sessions as the AAA server allows"
    NOT_IN_GROUP = "the AAA server puts the user into none of the groups that may come in here"
    DOWNLOAD_FAILED = "a certificate or CRL that policy demands could not be had"


@frozen
class StateEntered:
    """A machine took a transition. `machine` is `initiator`, `responder`, `mature` or `child NAME`."""

    sa: SaName
    machine: str
    before: str
    cause: str
    state: str


@frozen
class IkeBegun:
    """An IKE SA is begun: by us, or by a peer whose IKE_SA_INIT the gate let in. Its connection may show only later."""

    sa: SaName
    path: Path
    initiator: bool


@frozen
class IkeUp:
    """An IKE SA reached SM_MATURE."""

    sa: SaName
    path: Path
    initiator: bool
    local: Identity
    remote: Identity
    suite: str
    spi_initiator: bytes
    spi_responder: bytes
    method: str


@frozen
class IkeDown:
    """An IKE SA reached SM_DEAD. `reason` is a sentence; `was_up` says whether it had been mature."""

    sa: SaName
    path: Path
    remote: Identity | None
    reason: str
    was_up: bool


@frozen
class AuthFailed:
    """The peer failed to log in, or we failed to prove ourselves; `detail` says expected, got, and what to do."""

    sa: SaName
    path: Path
    remote: Identity | None
    reason: AuthFailure
    detail: str


@frozen
class RevocationUnknown:
    """A peer's certificate counts, as policy allows, though nobody could tell whether it was revoked; `detail` says why."""

    sa: SaName
    path: Path
    remote: Identity
    detail: str


@frozen
class Refused:
    """A negotiation was refused: by us (`by_peer` False) or by the peer. `notify` is the notify's name."""

    sa: SaName
    path: Path
    by_peer: bool
    notify: str
    detail: str


@frozen
class ChildUp:
    """A CHILD SA carries traffic."""

    sa: SaName
    child: str
    inbound_spi: bytes
    outbound_spi: bytes
    suite: str
    local_selectors: tuple[TrafficSelector, ...]
    remote_selectors: tuple[TrafficSelector, ...]
    udp_encapsulated: bool


@frozen
class ChildRekeyed:
    """A CHILD SA was replaced by another, at our or the peer's wish; both are told up and down besides."""

    sa: SaName
    child: str
    old_inbound_spi: bytes
    inbound_spi: bytes


@frozen
class IkeRekeyed:
    """An IKE SA goes on with fresh keys and other SPIs, under its old name."""

    sa: SaName
    suite: str
    spi_initiator: bytes
    spi_responder: bytes


@frozen
class IkeMoved:
    """An IKE SA goes on over another path, and its CHILD SAs with it. `behind_nat` are we, `peer_behind_nat` is the peer."""

    sa: SaName
    before: Path
    path: Path
    behind_nat: bool
    peer_behind_nat: bool


@frozen
class ChildDown:
    """A CHILD SA ended, with what it carried (inner octets)."""

    sa: SaName
    child: str
    inbound_spi: bytes
    reason: str
    inbound_octets: int
    outbound_octets: int


@frozen
class AddressLeased:
    """A client was given addresses."""

    sa: SaName
    identity: Identity
    addresses: tuple[IPv4Interface | IPv6Interface, ...]


@frozen
class AddressReleased:
    """A client's addresses went back to their provider."""

    sa: SaName
    addresses: tuple[IPv4Interface | IPv6Interface, ...]


@frozen
class SessionBegan:
    """A peer is authentic and its IKE SA mature; its first CHILD SA, if any, is up."""

    session: Session


@frozen
class SessionChanged:
    """A session goes on with other values: another path, other addresses, another grant."""

    session: Session


@frozen
class SessionEnded:
    """A session is over, after so many seconds; the counts are of all its CHILD SAs, inner octets."""

    session: Session
    cause: EndCause
    reason: str
    seconds: float
    inbound_octets: int = 0
    inbound_packets: int = 0
    outbound_octets: int = 0
    outbound_packets: int = 0


@frozen
class AaaServerDead:
    """A server that is asked about logins, or told of sessions, is silent; from now on others are asked, if there are any."""

    server: str
    endpoint: Endpoint
    reason: str


@frozen
class AaaServerBack:
    """It answers again."""

    server: str
    endpoint: Endpoint


@frozen
class ServerAnswered:
    """A server of ours answered a request after so many seconds; `kind` is radius, dhcp or the like, `server` its name here."""

    kind: str
    server: str
    seconds: float


@frozen
class ServerSilent:
    """It did not answer a request, however often it was sent."""

    kind: str
    server: str


@frozen
class Retransmitted:
    """A request of ours was sent again: the `tries`th time now."""

    sa: SaName
    path: Path
    tries: int


@frozen
class Dropped:
    """A datagram was dropped: `reason` is one of a fixed set of words, so that it can be counted."""

    path: Path
    reason: str
    detail: str = ""


Event = (
    StateEntered
    | IkeBegun
    | IkeUp
    | IkeDown
    | AuthFailed
    | RevocationUnknown
    | Refused
    | ChildUp
    | ChildRekeyed
    | IkeRekeyed
    | IkeMoved
    | ChildDown
    | AddressLeased
    | AddressReleased
    | SessionBegan
    | SessionChanged
    | SessionEnded
    | AaaServerDead
    | AaaServerBack
    | ServerAnswered
    | ServerSilent
    | Retransmitted
    | Dropped
)
Publish = Callable[[Event], None]
