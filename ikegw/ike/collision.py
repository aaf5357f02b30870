"""Both ends rekeyed the same SA at once: which of the two new ones is redundant (RFC 7296 §2.8.1; rows K-09 and K-10)."""

Nonces = tuple[bytes, bytes]
"""Ni and Nr of one exchange."""


def redundant(ours: Nonces, theirs: Nonces) -> bool:
    """Whether the SA of our exchange goes: the lowest of the four nonces is in it.

    Nonces are compared octet by octet, and a shorter one that the other begins with is the lower: as Python compares bytes.
    """
    return min(ours) < min(theirs)
