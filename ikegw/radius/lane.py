"""One link with its 256 identifiers: what comes back goes to the request that waits for it (RFC 2865 §3)."""

from collections import deque
from typing import Protocol

from attrs import define, field

from ikegw.radius.flight import Flight
from ikegw.radius.link import Link, OpenLink
from ikegw.radius.packets import BadReply, Dropped, Reply, Why, decode_header, open_reply

IDENTIFIERS = 256


class Dispatcher(Protocol):
    """Who is told what came, and from where."""

    def answered(self, flight: Flight, answer: Reply | BadReply) -> None:
        """The answer to this one; it is from the server."""

    def dropped(self, why: Why) -> None:
        """Something came that is nobody's answer."""

    def connected(self) -> None:
        """See `LinkEnd`; what was in flight is on its way again."""

    def unreachable(self, lane: "Lane", why: str) -> None:
        """See `LinkEnd`."""


@define(eq=False)
class Lane:
    """A link (`link.LinkEnd`) and what is in flight on it. An identifier that was given back rests as long as it can."""

    dispatcher: Dispatcher = field(repr=False)
    old: bool
    flights: dict[int, Flight] = field(factory=dict, init=False)
    link: Link = field(init=False, repr=False)
    _free: deque[int] = field(factory=lambda: deque(range(IDENTIFIERS)), init=False, repr=False)
    _used: set[int] = field(factory=set, init=False, repr=False)

    def open(self, open_link: OpenLink) -> None:
        """Open the link: once, before anything else."""
        self.link = open_link(self)

    @property
    def full(self) -> bool:
        """Are all identifiers in use?"""
        return not self._free

    def next_identifier(self) -> int:
        """The identifier that `assign` will give; there must be one."""
        return self._free[0]

    def assign(self, flight: Flight) -> int:
        """Give the flight the next identifier, which it has until `land`."""
        identifier = self._free.popleft()
        self._used.add(identifier)
        self.flights[identifier] = flight
        return identifier

    def land(self, identifier: int) -> None:
        """The flight is over: stop it, and take its identifier back."""
        self.flights.pop(identifier).stop()
        self._free.append(identifier)

    def received(self, octets: bytes) -> None:
        """See `LinkEnd`."""
        try:
            identifier, packet = decode_header(octets)
            flight = self._flight(identifier)
            answer: Reply | BadReply = open_reply(flight.sealed, packet, demand_signature=not self.old)
        except Dropped as dropped:
            self.dispatcher.dropped(dropped.why)
            return
        except BadReply as bad:
            answer = bad
        self.dispatcher.answered(flight, answer)

    def _flight(self, identifier: int) -> Flight:
        flight = self.flights.get(identifier)
        if flight is None:
            raise Dropped(Why.LATE if identifier in self._used else Why.FOREIGN)
        return flight

    def connected(self) -> None:
        """See `LinkEnd`."""
        for flight in tuple(self.flights.values()):
            flight.send()
        self.dispatcher.connected()

    def unreachable(self, why: str) -> None:
        """See `LinkEnd`."""
        self.dispatcher.unreachable(self, why)
