"""What `ikegwctl capture` may do, as everybody else sees it."""

from attrs import frozen


@frozen
class CaptureSettings:
    """`allowed`: captures with keys may be taken. Each ends after so many seconds, and so many octets of messages."""

    allowed: bool = False
    most_seconds: float = 600.0
    most_octets: int = 1 << 24
