"""ESP (RFC 4303) over a TUN device, in a process of its own.

`client` is the Twisted side and implements `ports.DataPlane`; everything else runs in the process, which knows no reactor: one
epoll loop that moves lists of packets. The two speak over pipes (`control`).
"""
