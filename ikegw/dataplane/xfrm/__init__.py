"""`ports.DataPlane` by the Linux kernel: its SAs and policies, through netlink (xfrm(8), RFC 4301)."""
