"""Octets and values: every payload of RFC 7296 §3 and RFC 7383 as a frozen value, IANA's registries, whole messages.

Octets become values here and nowhere else. Decoding any octets gives a value or one `errors.ParseError`; encoding writes
what decodes to an equal value. Reserved bits are ignored on receipt and zero on sending.
"""
