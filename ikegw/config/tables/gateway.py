"""Where we listen, who carries the traffic, how much strangers may occupy, what is logged, who may ask."""

from typing import Final

from ikegw.config import kinds
from ikegw.config.kinds import integer, listed, one_of
from ikegw.config.settings import DataPlaneChoice, LogLevel
from ikegw.config.shape import Key, Table

LISTEN: Final = Table(
    "listen",
    "Where IKE is heard.",
    (
        Key(
            "addresses", listed(kinds.ADDRESS), [], "Local addresses to listen on; none: all of this host's."
        ),
        Key("interfaces", listed(kinds.INTERFACE), [], "Listen only on the addresses of these devices."),
        Key("port", kinds.PORT, 500, "UDP port of IKE."),
        Key(
            "nat_t_port",
            kinds.PORT,
            4500,
            "UDP port of IKE and ESP when there is a NAT between the peers (RFC 3948).",
        ),
    ),
)

DATA_PLANE: Final = Table(
    "data_plane",
    "Who carries the traffic (ESP).",
    (
        Key(
            "kind",
            one_of(DataPlaneChoice),
            "auto",
            "The Linux kernel, or a process of ikegw with a TUN device; `auto` prefers the kernel where it can do the work.",
        ),
        Key("tun", kinds.INTERFACE, "ikegw%d", "Name of the TUN device; the kernel puts a number for `%d`."),
        Key(
            "mtu",
            integer(576, 65535),
            1400,
            "MTU of the TUN device, so that a packet still fits the path once it is ESP.",
        ),
    ),
)

LIMITS: Final = Table(
    "limits",
    "How much of the gateway strangers may occupy. A half-open IKE SA is one whose peer has not proved who it is.",
    (
        Key(
            "cookie_threshold",
            integer(0, 1_000_000),
            30,
            "Half-open IKE SAs in all above which a peer must return a cookie.",
        ),
        Key(
            "cookie_threshold_ip",
            integer(0, 1_000_000),
            3,
            "The same for one source (an IPv4 address, an IPv6 /64).",
        ),
        Key(
            "block_threshold",
            integer(1, 1_000_000),
            5,
            "Half-open IKE SAs of one source above which it is not heard.",
        ),
        Key(
            "half_open",
            integer(1, 1_000_000),
            1000,
            "Half-open IKE SAs in all above which nobody new is heard.",
        ),
        Key(
            "half_open_timeout",
            kinds.DURATION,
            "30s",
            "Life of a half-open IKE SA, for every connection that says nothing else.",
        ),
    ),
)

LOG: Final = Table(
    "log",
    "What is logged.",
    (
        Key("level", one_of(LogLevel), "info", "The least severe level that is logged."),
        Key("states", kinds.BOOLEAN, True, "Log each state that a machine enters."),
    ),
)

CONTROL: Final = Table(
    "control",
    "The socket that `ikegwctl` speaks to.",
    (
        Key("socket", kinds.SOCKET, "/run/ikegw/control.sock", 'Its path; `""` for no socket.'),
        Key(
            "group",
            kinds.GROUP,
            "",
            'The group whose members may speak to it, besides root; `""`: the group that ikegw runs as.',
        ),
    ),
)
