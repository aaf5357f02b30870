"""RADIUS: the client of authentication and accounting servers, over UDP (RFC 2865, 2866, 5080, 5997) and TLS (RFC 6614)."""
