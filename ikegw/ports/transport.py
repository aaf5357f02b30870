"""What sends our IKE messages."""

from typing import Protocol

from ikegw.paths import Address, Endpoint, Path


class Transport(Protocol):
    """Sends IKE messages; the other direction is a callback that the roof connects."""

    def send(self, path: Path, octets: bytes) -> None:
        """Send one IKE message from `path.local` to `path.remote`; never raises, losses are counted.

        The transport puts the non-ESP marker (RFC 3948 §2.2) in front where the local socket is a NAT-T one.
        """
        ...

    def keepalive(self, path: Path) -> None:
        """Send one NAT keepalive octet, 0xFF (RFC 3948 §2.3)."""
        ...

    def nat_t_port(self, path: Path) -> int:
        """The local NAT-T port beside `path.local` (4500 unless configured otherwise)."""
        ...

    def source(self, remote: Address, wanted: Address | None) -> Endpoint | None:
        """Where we would begin an IKE SA with `remote` from: our IKE endpoint on `wanted`, or on the address that routing picks.

        None if we listen on no such address.
        """
        ...

    def addresses(self) -> tuple[Address, ...]:
        """Every address that we listen on, each once."""
        ...
