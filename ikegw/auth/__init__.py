"""Who are you: shared keys and certificates, ours and the peer's."""
