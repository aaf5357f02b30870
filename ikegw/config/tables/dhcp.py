"""The site's DHCP servers, which lend addresses to clients through us."""

from typing import Final

from ikegw.config import kinds
from ikegw.config.dhcp import LeasePer, Naming, Strategy
from ikegw.config.kinds import integer, listed, one_of
from ikegw.config.shape import Key, Table

INFORM: Final = Table(
    "inform",
    "Windows takes routes, DNS servers and domains from DHCP inside its tunnel, not from IKE: it asks by DHCPINFORM, to the "
    'broadcast address. For that to come through, a child\'s `local_ts` must have it: `["10.1.0.0/16", "255.255.255.255/32"]`.',
    (
        Key(
            "address",
            kinds.ADDRESS4,
            None,
            "Our address, one within `local_ts`, from which DHCPINFORM is answered: with the networks that the client was told, "
            "else those of `local_ts`, with its DNS servers and domains. Without it, nothing is answered.",
        ),
    ),
)

DHCP: Final = Table(
    "dhcp",
    "DHCP servers that lend addresses to clients. A connection names them in its `pools` as `dhcp:NAME`, or as `dhcp` if there "
    "is one such table only. ikegw asks as a relay does, renews leases as a client does, and releases them when sessions end. "
    "Nothing is kept on disk: what a gateway that died has not released ends by its own time at the server, and the same client "
    "gets the same address meanwhile.",
    (
        Key(
            "servers",
            listed(kinds.ADDRESS),
            None,
            "Their addresses: IPv4 for DHCPv4, IPv6 for DHCPv6; addresses of both families for both.",
            required=True,
        ),
        Key(
            "strategy",
            one_of(Strategy),
            "all",
            "Of several servers ask all at once and take the first offer, or one after the other.",
        ),
        Key(
            "giaddr",
            kinds.ADDRESS4,
            None,
            "Our address that DHCPv4 servers answer to, routed to us from there; they lend from its subnet, unless the next two "
            "say another. Needed if there is an IPv4 server.",
        ),
        Key(
            "link_selection",
            kinds.ADDRESS4,
            None,
            "An address of the subnet to lend from, where giaddr is not in it (RFC 3527).",
        ),
        Key(
            "subnet_selection",
            kinds.ADDRESS4,
            None,
            "The same for servers that know option 118 only (RFC 3011).",
        ),
        Key(
            "source6",
            kinds.ADDRESS6,
            None,
            "Our address that DHCPv6 servers answer to. Needed if there is an IPv6 server.",
        ),
        Key(
            "link_address",
            kinds.ADDRESS6,
            None,
            "An address of the subnet that DHCPv6 servers lend from; without it `source6`.",
        ),
        Key("timeout", kinds.DURATION, "1s", "Wait for an answer; the wait doubles each time."),
        Key("tries", integer(1, 10), 4, "How often a message is sent before there is no address."),
        Key(
            "renewal_tries",
            integer(1, 10),
            6,
            "How often a renewal is sent before the session ends, as long as the lease lasts: 6 tries bridge a minute.",
        ),
        Key("lease_time", kinds.DURATION, None, "Ask for leases of so long; without it servers decide."),
        Key(
            "lease_per",
            one_of(LeasePer),
            "identity",
            "All sessions of one identity share a lease, or each has its own: where one user may have several sessions at a time "
            "(`unique`).",
        ),
        Key(
            "client_id",
            one_of(Naming),
            "name",
            "What the client identifier (option 61) is made of: a zero octet and the name, by which reservations are easily "
            "written; or IAID and DUID (RFC 4361), the same as for DHCPv6. The name is the one that EAP made certain, else the "
            "peer's identity.",
        ),
        Key(
            "circuit_id",
            kinds.TEMPLATE,
            "{connection}",
            "What servers are told as circuit id (option 82.1; DHCPv6: Interface-ID); `{connection}`, `{identity}` and "
            '`{address}`, the peer\'s, are put in; `""` for nothing.',
        ),
        Key(
            "remote_id",
            kinds.TEMPLATE,
            "{identity}",
            "The same for the remote id (option 82.2; DHCPv6: Subscriber-ID).",
        ),
        Key("port", integer(1, 65535), 67, "Our port towards DHCPv4 servers."),
        Key("server_port", integer(1, 65535), 67, "Their port."),
        Key("port6", integer(1, 65535), 547, "Our port towards DHCPv6 servers."),
        Key("server_port6", integer(1, 65535), 547, "Their port."),
    ),
    named=True,
)
