"""EAP methods of our own (RFC 3748): the peer of our initiator, and an authenticator for gateways without a RADIUS server."""
