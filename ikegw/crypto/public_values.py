"""The peer's fault in a key exchange."""


class BadPublicValue(Exception):
    """A peer's public value is not one of the group (RFC 6989): the peer's fault. The text says what is wrong with it."""
