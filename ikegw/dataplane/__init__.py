"""What carries ESP (RFC 4303): a process of our own over a TUN device, and a model of the contract for tests."""
