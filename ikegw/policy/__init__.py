"""What we accept: proposals, traffic selectors, identities, and the connections that hold them."""
