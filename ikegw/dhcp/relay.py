"""One socket's conversations with DHCP servers: many at once, told apart by their transaction numbers."""

import errno
from collections import Counter
from collections.abc import Callable
from typing import Final, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ikegw.dhcp.answers import Answer
from ikegw.dhcp.errors import Malformed
from ikegw.paths import Address, Endpoint
from ikegw.ports import Random

_LOG_SECONDS: Final = 60.0
"""Whoever keeps sending what cannot be used is complained of no oftener."""


class Asker(Protocol):
    """Who waits for answers."""

    def knows(self, server: Address) -> bool:
        """Whether this is one of the servers to ask."""
        ...

    def answered(self, answer: Answer, server: Endpoint) -> None:
        """A readable answer of the open transaction, from a server that it knows."""
        ...


class Relay:
    """Row H-19: what comes for no open transaction, cannot be read, or is from a stranger, is counted and dropped.

    `send` may raise OSError. `counts` says what became of datagrams: `sent`, `received`, `answer`, `malformed`, `foreign`,
    `stranger`, `other-client`, `useless`, `meaningless` and `unsent-EXXX`.
    """

    _log = Logger()

    def __init__(
        self,
        local: Endpoint,
        read: Callable[[bytes], Answer],
        send: Callable[[bytes, Endpoint], None],
        clock: IReactorTime,
        random: Random,
        transaction_octets: int,
    ) -> None:
        self.local = local
        self.counts: Counter[str] = Counter()
        self._read, self._send, self._clock, self._random = read, send, clock, random
        self._transaction_octets = transaction_octets
        self._open: dict[int, Asker] = {}
        self._complained = -_LOG_SECONDS

    def begin(self, asker: Asker) -> int:
        """Open a transaction under a number that no other has."""
        while True:
            number = int.from_bytes(self._random(self._transaction_octets), "big")
            if number not in self._open:
                self._open[number] = asker
                return number

    def end(self, number: int) -> None:
        """Close a transaction: what still comes for it is foreign."""
        self._open.pop(number, None)

    def once(self) -> int:
        """A number for a message that has no answer."""
        return int.from_bytes(self._random(self._transaction_octets), "big")

    def send(self, octets: bytes, server: Endpoint) -> None:
        """Send; what cannot be sent is counted, and is sent again if it was to be answered."""
        try:
            self._send(octets, server)
        except OSError as error:
            self.counts[f"unsent-{errno.errorcode.get(error.errno or 0, 'unknown')}"] += 1
        else:
            self.counts["sent"] += 1

    def datagram_received(self, octets: bytes, source: Endpoint) -> None:
        """Whatever came to our socket."""
        self.counts["received"] += 1
        try:
            answer = self._read(octets)
        except Malformed as error:
            self.counts["malformed"] += 1
            if any(asker.knows(source.address) for asker in self._open.values()):
                self._complain(source, f"sent what cannot be used: {error}; it is taken for silent")
            return
        asker = self._open.get(answer.transaction)
        if asker is None:
            self.counts["foreign"] += 1
        elif not asker.knows(source.address):
            self.counts["stranger"] += 1
            self._complain(source, "answered in place of a server that was asked; see dhcp.NAME.servers")
        else:
            self.counts["answer"] += 1
            asker.answered(answer, source)

    def _complain(self, source: Endpoint, what: str) -> None:
        if self._clock.seconds() - self._complained >= _LOG_SECONDS:
            self._complained = self._clock.seconds()
            self._log.warn(
                "DHCP at {local}: {source} {what}", local=self.local, source=source.address, what=what
            )
