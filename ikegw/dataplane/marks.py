"""Marks and routing tables of our own: how a tunnel's own packets are kept out of the tunnel.

Every socket that sends IKE or ESP carries `SOCKET_MARK` (SO_MARK); the rules that lead into the tunnel pass marked packets by.
"""

from typing import Final

SO_MARK: Final = 36
"""Linux's socket option; Python 3.11 has no name for it."""

SOCKET_MARK: Final = 0x494B

TABLE_BASE: Final = 45000
"""Routes of prefix length n are in table `TABLE_BASE` + n, in both address families."""

RULE_BASE: Final = 18000
"""Our rules' priorities begin here: before main (32766), longest prefixes first."""
