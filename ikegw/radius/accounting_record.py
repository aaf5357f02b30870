"""What accounting tells of sessions, as values: the records of RFC 2866, and what is kept of a session that is up."""

from enum import IntEnum
from typing import Final

from attrs import evolve, frozen

from ikegw.config.eap import LOCAL
from ikegw.ports import Usage
from ikegw.radius.packets import LARGEST_VALUE, Attribute
from ikegw.radius.station import Station
from ikegw.session import EndCause, Session

_LOW_WORD: Final = 0xFFFFFFFF
_BY_RADIUS, _BY_US = 1, 2


class Status(IntEnum):
    """Acct-Status-Type (RFC 2866 §5.1, RFC 2869 §2.1)."""

    START = 1
    STOP = 2
    INTERIM = 3
    ON = 7
    OFF = 8


@frozen
class Counts:
    """What a session carried, from the peer and to it."""

    input_octets: int = 0
    input_packets: int = 0
    output_octets: int = 0
    output_packets: int = 0

    @classmethod
    def of(cls, usage: Usage) -> "Counts":
        """As the data plane tells it."""
        return cls(usage.inbound_octets, usage.inbound_packets, usage.outbound_octets, usage.outbound_packets)

    def attributes(self) -> tuple[Attribute, ...]:
        """RFC 2866 §5.3 … §5.9, RFC 2869 §5.1, §5.2. There are no second words for packets, so they stop at the highest."""
        return (
            ("Acct-Input-Octets", self.input_octets & _LOW_WORD),
            ("Acct-Output-Octets", self.output_octets & _LOW_WORD),
            ("Acct-Input-Gigawords", self.input_octets >> 32 & _LOW_WORD),
            ("Acct-Output-Gigawords", self.output_octets >> 32 & _LOW_WORD),
            ("Acct-Input-Packets", min(self.input_packets, _LOW_WORD)),
            ("Acct-Output-Packets", min(self.output_packets, _LOW_WORD)),
        )


@frozen
class Record:
    """One Accounting-Request to be sent. `at` is when it happened, in seconds since 1970; `number` is the queue's, 0 before.

    `session` is empty for On and Off. Acct-Delay-Time is not among the attributes: it is known when it is sent.
    """

    realm: str
    session: str
    status: Status
    at: float
    attributes: tuple[Attribute, ...]
    number: int = 0

    def request(self, now: float) -> tuple[Attribute, ...]:
        """All attributes, to be sent now."""
        return (
            ("Acct-Status-Type", int(self.status)),
            *self.attributes,
            ("Event-Timestamp", int(self.at)),
            ("Acct-Delay-Time", max(0, round(now - self.at))),
        )


@frozen
class OpenSession:
    """A session as it is kept while it is up: enough to tell its end if we do not live to see it. Times in seconds since 1970."""

    id: str
    realm: str
    began: float
    seen: float
    counts: Counts
    attributes: tuple[Attribute, ...]

    def counted(self, counts: Counts, now: float) -> "OpenSession":
        """The same, later."""
        return evolve(self, counts=counts, seen=now)

    def record(self, status: Status) -> Record:
        """A Start, or an Interim with what is known."""
        told: tuple[Attribute, ...] = ()
        if status is not Status.START:
            told = (
                *self.counts.attributes(),
                ("Acct-Session-Time", max(0, round(self.seen - self.began))),
            )
        return Record(self.realm, self.id, status, self.seen, (*self.attributes, *told))

    def stop(self, cause: EndCause) -> Record:
        """Its end, when it was seen last."""
        record = self.record(Status.STOP)
        return evolve(record, attributes=(*record.attributes, ("Acct-Terminate-Cause", int(cause))))


def attributes_of(session: Session, station: Station) -> tuple[Attribute, ...]:
    """What every record says of a session (RFC 2866 §5.13); Class as it came, in its order."""
    addresses: list[Attribute] = [
        ("Framed-IP-Address" if address.version == 4 else "Framed-IPv6-Address", str(address))
        for address in session.addresses
    ]
    return (
        *station.about(session.id, session.sa.connection, session.sa.number, session.path),
        ("User-Name", session.user.encode()[:LARGEST_VALUE].decode(errors="ignore")),
        ("Acct-Authentic", _BY_US if session.login in ("", LOCAL) else _BY_RADIUS),
        *addresses,
        *(("Class", octets) for octets in session.grant.classes),
    )
