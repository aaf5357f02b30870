"""The gate: what stands before any state, so that a flood of strangers costs nearly nothing (RFC 7296 §2.6)."""
