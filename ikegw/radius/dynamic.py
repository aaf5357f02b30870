"""What a CoA or Disconnect request means (RFC 5176 §2, §3): which sessions, and what becomes of them."""

from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address, ip_network
from typing import Final

from attrs import define, field

from ikegw.config.coa import CoaClient
from ikegw.paths import Address
from ikegw.ports import Sessions
from ikegw.radius.dynamic_packet import DynamicRequest, ErrorCause, Refused
from ikegw.radius.granting import TERMINATIONS
from ikegw.radius.packets import Code, Value
from ikegw.radius.station import Station
from ikegw.session import EndCause, Grant, Session, Termination

Values = Mapping[str, tuple[Value, ...]]

_US: Final = frozenset(("NAS-Identifier", "NAS-IP-Address", "NAS-IPv6-Address"))
_ALWAYS: Final = _US | {
    "Event-Timestamp",
    "Message-Authenticator",
    "Proxy-State",
    "Reply-Message",
    "Acct-Terminate-Cause",
}
_CHANGES: Final = frozenset(
    ("Session-Timeout", "Termination-Action", "Idle-Timeout", "Acct-Interim-Interval", "Filter-Id")
)
_FIT: Final[Mapping[str, Callable[[Session, str, Station], bool]]] = {
    "Acct-Session-Id": lambda session, value, station: session.id == value,
    "User-Name": lambda session, value, station: session.user == value,
    "NAS-Port": lambda session, value, station: str(session.sa.number) == value,
    "NAS-Port-Id": lambda session, value, station: session.sa.connection == value,
    "Framed-IP-Address": lambda session, value, station: ip_address(value) in session.addresses,
    "Framed-IPv6-Address": lambda session, value, station: ip_address(value) in session.addresses,
    "Framed-IPv6-Prefix": lambda session, value, station: _within(session, value),
    "Calling-Station-Id": lambda session, value, station: (
        value in (str(session.path.remote.address), station.station_id(session.path.remote))
    ),
    "Called-Station-Id": lambda session, value, station: (
        value in (str(session.path.local.address), station.station_id(session.path.local))
    ),
}
"""What identifies a session (§3): all that are given must fit."""


@define(eq=False)
class DynamicAuthorization:
    """Does what authentic requests want. `addresses` are ours; a reload may change `station`."""

    sessions: Sessions = field(repr=False)
    station: Station
    addresses: Callable[[], tuple[Address, ...]] = field(repr=False)

    def obey(self, request: DynamicRequest, client: CoaClient) -> str:
        """Do it; what was done, for the log. Refused says why not, and then nothing was done."""
        values = request.values()
        if values.get("Service-Type"):
            raise Refused(ErrorCause.UNSUPPORTED_SERVICE, "Service-Type has no meaning here")
        self._check_that_we_are_meant(values)
        coa = request.code is Code.COA_REQUEST
        strange = set(values) - _ALWAYS - set(_FIT) - (_CHANGES if coa else set())
        if strange:
            raise Refused(ErrorCause.UNSUPPORTED_ATTRIBUTE, f"{min(strange)} has no meaning in this request")
        if coa and not set(values) & _CHANGES:
            raise Refused(ErrorCause.MISSING_ATTRIBUTE, "nothing that could be changed is named")
        found = self._meant(values, client)
        if coa:
            changes = [(each, self._wanted(each, values)) for each in found]
            self._check_that_all_can_be(changes)
            done = [self._change(each, grant) for each, grant in changes]
        else:
            done = [self._end(each, client) for each in found]
        return f"{'changed' if coa else 'ended'} {', '.join(done)}"

    def _check_that_we_are_meant(self, values: Values) -> None:
        ours = {str(address) for address in self.addresses()}
        for name in _US & set(values):
            known = {self.station.identifier} if name == "NAS-Identifier" else ours
            if not known.issuperset(map(_text, values[name])):
                text = f"it is for {name} {_text(values[name][0])}; we are {', '.join(sorted(known))}"
                raise Refused(ErrorCause.NAS_IDENTIFICATION_MISMATCH, text)

    def _meant(self, values: Values, client: CoaClient) -> list[Session]:
        wanted = [(name, _text(value)) for name in _FIT for value in values.get(name, ())]
        if not wanted:
            raise Refused(ErrorCause.MISSING_ATTRIBUTE, "nothing says which session is meant")
        found = [
            session
            for session in self.sessions.sessions()
            if all(_FIT[name](session, value, self.station) for name, value in wanted)
        ]
        said = ", ".join(f"{name} {value}" for name, value in wanted)
        if not found:
            raise Refused(ErrorCause.SESSION_CONTEXT_NOT_FOUND, f"no session has {said}")
        if len(found) > 1 and not client.several:
            text = f"{len(found)} sessions have {said}, and this client is to mean one"
            raise Refused(ErrorCause.MULTIPLE_SESSION_SELECTION_UNSUPPORTED, text)
        return found

    def _end(self, session: Session, client: CoaClient) -> str:
        self.sessions.end(
            session.id, EndCause.ADMIN_RESET, f"the RADIUS server {client.name} ended it (Disconnect-Request)"
        )
        return str(session.sa)

    def _check_that_all_can_be(self, changes: Iterable[tuple[Session, Grant]]) -> None:
        for session, grant in changes:
            why = self.sessions.objection(session.id, grant)
            if why:
                raise Refused(ErrorCause.INVALID_ATTRIBUTE_VALUE, why)

    def _change(self, session: Session, grant: Grant) -> str:
        self.sessions.change(session.id, grant)
        return str(session.sa)

    def _wanted(self, session: Session, values: Values) -> Grant:
        return Grant(
            session_seconds=_number(values, "Session-Timeout"),
            termination=_termination(values, session.grant.termination),
            idle_seconds=_number(values, "Idle-Timeout"),
            interim_seconds=_number(values, "Acct-Interim-Interval"),
            filters=tuple(map(_text, values.get("Filter-Id", ()))),
        )


def _termination(values: Values, before: Termination) -> Termination:
    given = values.get("Termination-Action", ())
    if not given:
        return before
    if "Session-Timeout" not in values:
        raise Refused(ErrorCause.INVALID_REQUEST, "Termination-Action means nothing without Session-Timeout")
    termination = TERMINATIONS.get(_text(given[0]))
    if termination is None:
        raise Refused(ErrorCause.INVALID_ATTRIBUTE_VALUE, f"Termination-Action {given[0]!r} is unknown")
    return termination


def _number(values: Values, name: str) -> int | None:
    return next((value for value in values.get(name, ()) if isinstance(value, int)), None)


def _text(value: Value) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _within(session: Session, prefix: str) -> bool:
    network = ip_network(prefix, strict=False)
    return any(address.version == network.version and address in network for address in session.addresses)
