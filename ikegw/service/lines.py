"""One line of log for each event, in words that an operator understands without this source.

What a peer sent may stand in a line, so nothing leaves here that is not printable: no line breaks, no escapes.
"""

from collections.abc import Callable, Iterable
from ipaddress import IPv4Interface, IPv6Interface
from typing import Any

from twisted.logger import LogLevel

from ikegw.control.units import octets
from ikegw.events import (
    AaaServerBack,
    AaaServerDead,
    AddressLeased,
    AddressReleased,
    AuthFailed,
    AuthFailure,
    ChildDown,
    ChildRekeyed,
    ChildUp,
    Dropped,
    Event,
    IkeBegun,
    IkeDown,
    IkeMoved,
    IkeRekeyed,
    IkeUp,
    Refused,
    Retransmitted,
    RevocationUnknown,
    ServerAnswered,
    ServerSilent,
    SessionBegan,
    SessionChanged,
    SessionEnded,
    StateEntered,
)
from ikegw.gate.classify import Why
from ikegw.policy.identities import display
from ikegw.policy.selectors import networks_of
from ikegw.session import Session
from ikegw.wire.selectors import TrafficSelector

_DEBUG: LogLevel = LogLevel.debug
_INFO: LogLevel = LogLevel.info
_WARN: LogLevel = LogLevel.warn
_ERROR: LogLevel = LogLevel.error

_LEVELS = {
    StateEntered: _DEBUG,
    IkeBegun: _DEBUG,
    SessionChanged: _DEBUG,
    RevocationUnknown: _WARN,
    Refused: _WARN,
    Retransmitted: _DEBUG,
    ServerAnswered: _DEBUG,
    ServerSilent: _DEBUG,
    AaaServerDead: _ERROR,
    AaaServerBack: _WARN,
}
_REPEATED = "request-busy"
"""A peer asks again because we have not answered yet: a login that waits for a server, for one."""

_TURNED_AWAY = frozenset({Why.HALF_OPEN_FULL.value, Why.SOURCE_BLOCKED.value})


def level_of(event: Event) -> LogLevel:
    """Say how much an event matters, without writing its line."""
    if isinstance(event, AuthFailed):
        return _ERROR if event.reason is AuthFailure.NO_OWN_MATERIAL else _WARN
    if isinstance(event, Dropped):
        if event.reason == _REPEATED:
            return _DEBUG
        return _WARN if event.reason in _TURNED_AWAY else _INFO
    return _LEVELS.get(type(event), _INFO)


def text_of(event: Event) -> str:
    """Write the line for any event of `ikegw.events`."""
    # An event that has no words yet must not stop what it tells of; a test finds it.
    text = _WRITERS.get(type(event), str)(event)
    return text if text.isprintable() else "".join(map(_printable, text))


def networks(selectors: Iterable[TrafficSelector]) -> str:
    """Write traffic selectors: `10.1.0.0/16, 10.2.0.7/32[tcp/443]`."""
    return ", ".join(map(_selector, selectors)) or "nothing"


def _state_entered(event: StateEntered) -> str:
    return f"{event.sa} {event.machine}: {event.before} --{event.cause}--> {event.state}"


def _ike_begun(event: IkeBegun) -> str:
    if event.initiator:
        return f"{event.sa} begun: we call {event.path.remote} from {event.path.local}"
    return f"{event.sa} begun by {event.path.remote} at {event.path.local}"


def _ike_up(event: IkeUp) -> str:
    side = "initiator" if event.initiator else "responder"
    return (
        f"{event.sa} up: {display(event.remote)} at {event.path.remote} is authentic ({event.method}); "
        f"we are {display(event.local)} at {event.path.local}, the {side}; {event.suite}; "
        f"SPIs {event.spi_initiator.hex()} {event.spi_responder.hex()}"
    )


def _ike_down(event: IkeDown) -> str:
    who = f"{display(event.remote)} at {event.path.remote}" if event.remote else str(event.path.remote)
    if event.was_up:
        return f"{event.sa} down: {who}: {event.reason}"
    return f"{event.sa} ended before it was up: {who}: {event.reason}"


def _auth_failed(event: AuthFailed) -> str:
    who = f"{display(event.remote)} at {event.path.remote}" if event.remote else str(event.path.remote)
    return f"{event.sa} authentication failed: {who}: {event.reason.value}: {event.detail}"


def _revocation_unknown(event: RevocationUnknown) -> str:
    return f"{event.sa} {display(event.remote)} at {event.path.remote} is let in all the same: {event.detail}"


def _refused(event: Refused) -> str:
    who = "refused by" if event.by_peer else "we refused"
    return f"{event.sa} {who} {event.path.remote}: {event.notify}: {event.detail}"


def _child_up(event: ChildUp) -> str:
    kind = "ESP in UDP" if event.udp_encapsulated else "ESP"
    return (
        f"{event.sa} {event.child} up: {networks(event.local_selectors)} === {networks(event.remote_selectors)}; "
        f"{kind} {event.suite}; SPIs {event.inbound_spi.hex()} in, {event.outbound_spi.hex()} out"
    )


def _child_rekeyed(event: ChildRekeyed) -> str:
    return f"{event.sa} {event.child} rekeyed: SPI {event.inbound_spi.hex()} replaces {event.old_inbound_spi.hex()}"


def _ike_rekeyed(event: IkeRekeyed) -> str:
    spis = f"{event.spi_initiator.hex()} {event.spi_responder.hex()}"
    return f"{event.sa} rekeyed: {event.suite}; SPIs {spis}"


def _ike_moved(event: IkeMoved) -> str:
    nats = {(True, False): "we are behind a NAT", (False, True): "the peer is behind a NAT"}
    between = nats.get((event.behind_nat, event.peer_behind_nat), "both are behind NATs")
    if not event.behind_nat and not event.peer_behind_nat:
        between = "no NAT between"
    old, new = event.before, event.path
    if old.local == new.local:
        return f"{event.sa} moved: the peer is at {new.remote} now, no longer at {old.remote}; {between}"
    if old.remote == new.remote:
        return f"{event.sa} moved: we are at {new.local} now, no longer at {old.local}; {between}"
    return f"{event.sa} moved: from {old} to {new}; {between}"


def _child_down(event: ChildDown) -> str:
    return (
        f"{event.sa} {event.child} down: {event.reason}; SPI {event.inbound_spi.hex()}; "
        f"received {octets(event.inbound_octets)}, sent {octets(event.outbound_octets)}"
    )


def _address_leased(event: AddressLeased) -> str:
    return f"{event.sa} lent {_addresses(event.addresses)} to {display(event.identity)}"


def _address_released(event: AddressReleased) -> str:
    return f"{event.sa} gave back {_addresses(event.addresses)}"


def _session_began(event: SessionBegan) -> str:
    session, message = event.session, event.session.grant.message
    says = f"; {session.aaa} says: {message}" if message else ""
    return f"{session.sa} session {session.id} of {session.user} began ({session.method}{_in_group(session)}){says}"


def _session_changed(event: SessionChanged) -> str:
    session = event.session
    return f"{session.sa} session {session.id} of {session.user} goes on at {session.path.remote}{_in_group(session)}"


def _in_group(session: Session) -> str:
    return f", group {session.group}" if session.group else ""


def _session_ended(event: SessionEnded) -> str:
    session, cause = event.session, event.cause.name.lower().replace("_", " ")
    return (
        f"{session.sa} session {session.id} of {session.user} ended after {event.seconds:.0f} s: {cause}; "
        f"received {octets(event.inbound_octets)}, sent {octets(event.outbound_octets)}"
    )


def _aaa_server_dead(event: AaaServerDead) -> str:
    return f"AAA server {event.server} at {event.endpoint} is dead: {event.reason}"


def _aaa_server_back(event: AaaServerBack) -> str:
    return f"AAA server {event.server} at {event.endpoint} answers again"


def _server_answered(event: ServerAnswered) -> str:
    return f"{event.kind} server {event.server} answered after {1000 * event.seconds:.1f} ms"


def _server_silent(event: ServerSilent) -> str:
    return f"{event.kind} server {event.server} did not answer a request"


def _retransmitted(event: Retransmitted) -> str:
    return f"{event.sa} sent a request to {event.path.remote} again, the {_ordinal(event.tries)} time"


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number in (11, 12, 13) else ending}"


def _dropped(event: Dropped) -> str:
    detail = f" ({event.detail})" if event.detail else ""
    return f"dropped a datagram from {event.path.remote} to {event.path.local}: {event.reason}{detail}"


_WRITERS: dict[type, Callable[[Any], str]] = {
    StateEntered: _state_entered,
    IkeBegun: _ike_begun,
    IkeUp: _ike_up,
    IkeDown: _ike_down,
    AuthFailed: _auth_failed,
    RevocationUnknown: _revocation_unknown,
    Refused: _refused,
    ChildUp: _child_up,
    ChildRekeyed: _child_rekeyed,
    IkeRekeyed: _ike_rekeyed,
    IkeMoved: _ike_moved,
    ChildDown: _child_down,
    AddressLeased: _address_leased,
    AddressReleased: _address_released,
    SessionBegan: _session_began,
    SessionChanged: _session_changed,
    SessionEnded: _session_ended,
    AaaServerDead: _aaa_server_dead,
    AaaServerBack: _aaa_server_back,
    ServerAnswered: _server_answered,
    ServerSilent: _server_silent,
    Retransmitted: _retransmitted,
    Dropped: _dropped,
}


def _addresses(addresses: Iterable[IPv4Interface | IPv6Interface]) -> str:
    return ", ".join(str(address.ip) for address in addresses) or "no address"


_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6"}


def _selector(selector: TrafficSelector) -> str:
    spans = networks_of(selector)
    text = str(spans[0]) if len(spans) == 1 else f"{selector.start}-{selector.end}"
    first, last = selector.start_port, selector.end_port
    if not selector.protocol and (first, last) == (0, 65535):
        return text
    protocol = _PROTOCOLS.get(selector.protocol, str(selector.protocol or "any"))
    if (first, last) == (0, 65535):
        return f"{text}[{protocol}]"
    if (first, last) == (65535, 0):
        return f"{text}[{protocol}/opaque]"
    return f"{text}[{protocol}/{first}]" if first == last else f"{text}[{protocol}/{first}-{last}]"


def _printable(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
