"""The embedded authenticator (RFC 4137 §5): small sites log their clients in with it, without a RADIUS server."""
