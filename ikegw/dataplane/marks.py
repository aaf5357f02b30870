"""Marks and routing tables of our own: how a tunnel's own packets are kept out of the tunnel.

Every socket that sends IKE or ESP carries `SOCKET_MARK` (SO_MARK); the rules that lead into the tunnel pass marked packets by.
"""

from typing import Final

SO_MARK: Final = 36
"""Linux's socket option; Python 3.11 has no name for it."""

SOCKET_MARK: Final = 0x494B

TABLE_BASE: Final = 45000
"""Routes of prefix length n are in table `TABLE_BASE` + n, in both address families."""

OURS_PASS, DROP_ENTRIES, SLOTS, DROP_SLOTS, PAST_ALL = 18000, 18001, 18010, 18999, 19999
"""Our rules' priorities: before main (32766). `SLOTS` and `DROP_SLOTS` have four for each prefix length, the longest first."""
