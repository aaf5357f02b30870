"""The EAP peer (RFC 4137 §4): it logs in at a gateway, as our initiator does."""
