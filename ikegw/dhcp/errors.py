"""The one error of decoding: where the octets stop making sense."""


class Malformed(Exception):
    """The octets are no DHCP message that we can use: the sender's fault. `offset` counts octets from the message's start."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason, offset)
        self.reason = reason
        self.offset = offset

    def __str__(self) -> str:
        return f"octet {self.offset}: {self.reason}"
