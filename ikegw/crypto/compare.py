"""Comparison whose time does not tell where two secrets differ."""

import hmac


def equal(a: bytes, b: bytes) -> bool:
    """Whether `a` and `b` are the same octets. The time depends on the lengths only, which are no secret."""
    return hmac.compare_digest(a, b)
