"""Algorithms, their one registry, and everything that is done with keys (RFC 7296 §2.12–§2.18, §3.14; RFC 7427)."""
