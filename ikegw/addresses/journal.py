"""What of the lending is written down, so that a client gets its address again also after a restart."""

from ipaddress import IPv4Address, IPv6Address
from typing import Protocol

from attrs import frozen
from twisted.internet.defer import Deferred, succeed

Address = IPv4Address | IPv6Address


@frozen
class Entry:
    """Whose an address is or was. `free_since` is in seconds of the gateway's clock; None: it is lent."""

    address: Address
    owner: str
    name: str
    free_since: float | None


class Journal(Protocol):
    """Keeps the latest entry of each address. Nobody but its one gateway lends them: a lost entry never doubles an address."""

    def open(self) -> Deferred[tuple[Entry, ...]]:
        """What was written, the longest free first. Fails with OSError, whose text tells an operator what to do."""
        ...

    def write(self, entry: Entry) -> None:
        """To be written soon."""
        ...

    def erase(self, address: Address) -> None:
        """To be forgotten soon."""
        ...

    def written(self) -> Deferred[None]:
        """Fires when all that was given until now is safe from a crash, or cannot be made so; never fails."""
        ...

    def close(self) -> Deferred[None]:
        """Write what is left; nothing is written after."""
        ...


class NoJournal:
    """Writes nothing down."""

    def open(self) -> Deferred[tuple[Entry, ...]]:
        """See `Journal`."""
        return succeed(())

    def write(self, entry: Entry) -> None:
        """See `Journal`."""

    def erase(self, address: Address) -> None:
        """See `Journal`."""

    def written(self) -> Deferred[None]:
        """See `Journal`."""
        return succeed(None)

    def close(self) -> Deferred[None]:
        """See `Journal`."""
        return succeed(None)
