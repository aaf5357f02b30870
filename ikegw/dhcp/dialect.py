"""What DHCPv4 and DHCPv6 say differently; the machine and its driver are the same for both."""

from typing import Protocol

from ikegw.dhcp.answers import Answer
from ikegw.dhcp.clients import Client


class Dialect(Protocol):
    """The messages about one client's lease, as octets for a server. `elapsed` are the seconds since the exchange began."""

    @property
    def client(self) -> Client:
        """Whose lease it is."""
        ...

    @property
    def family(self) -> int:
        """The IP version."""
        ...

    def discover(self, transaction: int, elapsed: float) -> bytes:
        """Ask for offers."""
        ...

    def request(self, transaction: int, elapsed: float, offer: Answer) -> bytes:
        """Ask for what was offered."""
        ...

    def renew(self, transaction: int, elapsed: float, bound: Answer) -> bytes:
        """Ask the server that leased it to prolong it."""
        ...

    def rebind(self, transaction: int, elapsed: float, bound: Answer) -> bytes | None:
        """Ask any server to prolong it; None where that is not done."""
        ...

    def release(self, transaction: int, bound: Answer) -> bytes:
        """Give it back."""
        ...

    def concerns(self, answer: Answer) -> bool:
        """Whether an answer is for this client."""
        ...
