"""A small public key infrastructure of one's own: what an operator of some dozen users needs, and what the tests use."""
