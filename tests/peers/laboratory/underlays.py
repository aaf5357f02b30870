"""The networks on which a client and a gateway meet.

Behind the gateway lie 10.1.0.0/16 and fd00:1::/64, behind the client 10.2.0.0/16 and fd00:2::/64. Of each /24 in them (of the
first 16) the host .1 is there, on the loopback device.
"""

from collections.abc import Sequence

from attrs import frozen

from laboratory.namespaces import Namespace, Network

GATEWAY_INNER = (*(f"10.1.{subnet}.1/32" for subnet in range(16)), "fd00:1::1/128")
CLIENT_INNER = (*(f"10.2.{subnet}.1/32" for subnet in range(16)), "fd00:2::1/128")


@frozen
class Underlay:
    """A client and a gateway, and the addresses at which IKE reaches them."""

    client: Namespace
    client_address: str
    gateway: Namespace
    gateway_address: str


def _ends(network: Network, behind_gateway: Sequence[str] = GATEWAY_INNER) -> tuple[Namespace, Namespace]:
    return network.namespace("client", *CLIENT_INNER), network.namespace("gateway", *behind_gateway)


def direct(network: Network, behind_gateway: Sequence[str] = GATEWAY_INNER) -> Underlay:
    """One IPv4 wire."""
    client, gateway = _ends(network, behind_gateway)
    network.wire(client, "192.0.2.2/24", gateway, "192.0.2.1/24")
    return Underlay(client, "192.0.2.2", gateway, "192.0.2.1")


def over_ipv6(network: Network) -> Underlay:
    """One IPv6 wire."""
    client, gateway = _ends(network)
    network.wire(client, "2001:db8::2/64", gateway, "2001:db8::1/64")
    return Underlay(client, "2001:db8::2", gateway, "2001:db8::1")


def behind_nat(network: Network) -> Underlay:
    """The client has a private address behind a router that masquerades (source address and ports change)."""
    client, gateway = _ends(network)
    router = network.namespace("router")
    network.wire(client, "192.168.7.2/24", router, "192.168.7.1/24")
    network.wire(router, "198.51.100.7/24", gateway, "198.51.100.1/24")
    client.ip("route add default via 192.168.7.1")
    router.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    router.run("nft", "add table ip nat; add chain ip nat post { type nat hook postrouting priority 100; }")
    router.run("nft", "add rule ip nat post oifname to-gateway meta l4proto udp masquerade to :20000-30000")
    return Underlay(client, "192.168.7.2", gateway, "198.51.100.1")
