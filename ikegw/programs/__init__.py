"""Programs of this host that are run for a tunnel: an operator's script, and those that know of DNS."""
