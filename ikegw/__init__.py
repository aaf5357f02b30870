"""ikegw: an IKEv2 VPN gateway whose behaviour is explicit state machines, on Twisted."""

__version__ = "0.1.0"
